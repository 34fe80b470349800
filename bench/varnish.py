"""Varnish in front of a reader."""

from pathlib import Path

_VCL = """
vcl 4.1;

backend reader {
    .host = "127.0.0.1";
    .port = "%(upstream)d";
}
"""


def command(program: Path, folder: Path, *, port: int, upstream: int) -> list[str]:
    """Write the configuration; return the command that runs varnishd in the foreground.

    Args:
        program: path of varnishd.
        folder: for configuration and shared memory; it is created.
        port: to listen on.
        upstream: port of the reader behind it.
    """
    folder.mkdir()
    configuration = folder / "reader.vcl"
    configuration.write_text(_VCL % {"upstream": upstream})
    return [
        *(str(program), "-F", "-n", str(folder / "instance"), "-f", str(configuration)),
        *("-a", f"127.0.0.1:{port}", "-s", "malloc,256m"),
        # Otherwise it changes to users of its own, who may not read the folder.
        *("-j", "none"),
        # Otherwise it keeps only the compressed body, and unpacks it for each client without gzip.
        *("-p", "http_gzip_support=off"),
    ]
