"""A Redis server with TLS, and a certificate authority that issues its certificate."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from scripts.debian import find
from scripts.embedded_redis import EmbeddedRedis, free_port

ADDRESS = ipaddress.ip_address("127.0.0.1")


_USES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
    *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


@dataclass(frozen=True)
class Authority:
    """A certificate authority, and the certificate that it issued to a server on this machine.

    Args:
        folder: for keys and certificates.
        name: of the authority, and of its file.
    """

    folder: Path
    name: str

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        self._write(self.file, self._certificate(self.name, key, self.name, key))
        self._write_key(self.folder / f"{self.name}.key", key)
        server = ec.generate_private_key(ec.SECP256R1())
        self._write(self.server_file, self._certificate("redis", server, self.name, key))
        self._write_key(self.server_key, server)

    @property
    def file(self) -> Path:
        """The authority's own certificate: what `REDIS_CA_FILE` names."""
        return self.folder / f"{self.name}.pem"

    @property
    def server_file(self) -> Path:
        """The certificate of a server at 127.0.0.1, `localhost`."""
        return self.folder / f"{self.name}-server.pem"

    @property
    def server_key(self) -> Path:
        """Its key."""
        return self.folder / f"{self.name}-server.key"

    @property
    def arguments(self) -> tuple[str, ...]:
        """The server's arguments for its certificate and key."""
        return (
            *("--tls-cert-file", str(self.server_file), "--tls-key-file", str(self.server_key)),
            *("--tls-ca-cert-file", str(self.file), "--tls-auth-clients", "no"),
        )

    @staticmethod
    def _certificate(
        subject: str,
        key: ec.EllipticCurvePrivateKey,
        issuer: str,
        issuer_key: ec.EllipticCurvePrivateKey,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(subject == issuer, None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ADDRESS), x509.DNSName("localhost")]),
                critical=False,
            )
        )
        # Python 3.13 and newer take no certificate without these.
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        theirs = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
        made = made.add_extension(own, critical=False).add_extension(theirs, critical=False)
        if subject == issuer:
            usage = dict.fromkeys(_USES, False) | {"key_cert_sign": True}
            made = made.add_extension(x509.KeyUsage(**usage), critical=True)
        return made.sign(issuer_key, hashes.SHA256())

    @staticmethod
    def _write(file: Path, certificate: x509.Certificate) -> None:
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    @staticmethod
    def _write_key(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )


class TlsRedis:
    """A server with TLS on one port, and without TLS on another for the tests themselves.

    Args:
        folder: for its data.
        authority: issues its certificate.
    """

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.port = free_port()
        self._server = EmbeddedRedis(
            folder,
            arguments=("--tls-port", str(self.port), *authority.arguments),
            binary=tls_binary(folder),
        )

    @property
    def url(self) -> str:
        """The value of `REDIS_URL` for processes."""
        return f"rediss://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server."""
        self._server.start()

    def stop(self) -> None:
        """End it."""
        self._server.stop()


def has_tls_redis() -> bool:
    """Whether a server with TLS is installed; see `scripts.test_tools`."""
    return find("redis-check-rdb") is not None


def tls_binary(folder: Path) -> str:
    """A server with TLS: the one in Debian's redis-tools, which does what its file name says."""
    program = find("redis-check-rdb")
    assert program is not None
    folder.mkdir(parents=True, exist_ok=True)
    server = folder / "redis-server"
    server.symlink_to(program)
    return str(server)
