"""Varnish in front of a reader, in a folder of its own."""

from pathlib import Path

_VCL = """
vcl 4.1;

backend reader {
    .host = "127.0.0.1";
    .port = "%(upstream)d";
}
"""


def command(program: Path, folder: Path, *, port: int, upstream: int) -> list[str]:
    """Write the configuration and give the command that runs it, in the foreground.

    Args:
        program: the varnishd.
        folder: for its configuration and shared memory; it is made.
        port: to listen on.
        upstream: port of the reader that it caches.
    """
    folder.mkdir()
    configuration = folder / "reader.vcl"
    configuration.write_text(_VCL % {"upstream": upstream})
    return [
        *(str(program), "-F", "-n", str(folder / "instance"), "-f", str(configuration)),
        *("-a", f"127.0.0.1:{port}", "-s", "malloc,256m"),
        # It would change to users of its own, who may not read the folder.
        *("-j", "none"),
        # Else it would keep the compressed body only, and unpack it for each client without gzip.
        *("-p", "http_gzip_support=off"),
    ]
