"""GitHub Apps as the server knows them, and the verification of their JWTs.

Source: docs.github.com "Generating a JSON Web Token (JWT) for a GitHub App"; the messages of a
refusal are as users of GitHub report them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tests.fakegithub.http_messages import Request
from tests.fakegithub.viewers import ROLES

LONGEST_LIFE: Final = 600  # seconds from now to a JWT's `exp`
PERMISSIONS: Final = {"contents": "read", "members": "read", "metadata": "read"}
LEEWAY: Final = 60  # seconds that a JWT's `iat` may lie ahead
TOKENS_PATH: Final = re.compile(r"/app/installations/([0-9]{1,18})/access_tokens")

NOT_DECODED: Final = "A JSON web token could not be decoded"
NO_ISSUER: Final = "Missing 'issuer' claim ('iss') in assertion"
BAD_ISSUER: Final = "'Issuer' claim ('iss') must be an Integer"
BAD_ISSUED_AT: Final = (
    "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was "
    "issued"
)
NO_EXPIRATION: Final = "Missing 'expiration time' claim ('exp') in assertion"
BAD_EXPIRATION: Final = (
    "'Expiration time' claim ('exp') must be a numeric value representing the future time at "
    "which the assertion expires"
)
LATE_EXPIRATION: Final = "'Expiration time' claim ('exp') is too far in the future"


@dataclass(frozen=True)
class App:
    """A GitHub App and one of its installations; an App with several has several entries.

    app_id: its number or client id, which its JWTs name as `iss`, as a number or as text.
    public_key: verifies its JWTs, PEM.
    token_seconds: lifetime of the installation's tokens.
    role: the installation's tokens see what a user of that role sees (see `viewers`).
    permissions: those granted to the installation, as in the response with a token.
    """

    app_id: int | str
    installation_id: int
    public_key: str
    token_seconds: float = 3600
    role: str = "member"
    permissions: dict[str, str] = field(default_factory=lambda: dict(PERMISSIONS), hash=False)

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"no such role: {self.role}; there are: {', '.join(ROLES)}")
        if not isinstance(load_pem_public_key(self.public_key.encode()), RSAPublicKey):
            raise ValueError("public_key: no RSA key")

    def is_called(self, issuer: object) -> bool:
        """Whether a JWT's `iss` names this App."""
        return str(self.app_id) == str(issuer)

    def signed(self, token: str) -> bool:
        """Whether a JWT was signed with this App's private key, by RS256 and nothing else."""
        try:
            jwt.PyJWS().decode(token, self.public_key, algorithms=["RS256"])
        except jwt.PyJWTError:
            return False
        return True


@dataclass(frozen=True)
class Refused:
    """The refusal of a JWT, with GitHub's message."""

    reason: str


def requested_installation(request: Request) -> int | None:
    """The installation whose token a request wants; None for any other request."""
    match = TOKENS_PATH.fullmatch(request.path) if request.method == "POST" else None
    return int(match[1]) if match else None


def signer(request: Request, apps: Iterable[App], *, now: float) -> App | Refused:
    """The App whose JWT a request has, by the server's clock (any entry of that App)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        claims = jwt.decode(token.strip(), options={"verify_signature": False})
    except jwt.PyJWTError:
        claims = None
    # Elsewhere GitHub takes `token x` for `Bearer x`, but not with a JWT.
    if claims is None or scheme.lower() != "bearer":
        return Refused(NOT_DECODED)
    issuer = claims.get("iss")
    app = next((app for app in apps if app.is_called(issuer)), None)
    if app is None and not str(issuer).isdigit():
        return Refused(NO_ISSUER if issuer is None else BAD_ISSUER)
    # An unknown number is another App's, whose key did not sign this JWT.
    if app is None or not app.signed(token.strip()):
        return Refused(NOT_DECODED)
    reason = untimely(claims, now=now)
    return Refused(reason) if reason else app


def untimely(claims: dict[str, Any], *, now: float) -> str | None:
    """GitHub's message if the times in a JWT's claims are wrong; None if they are right."""
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int) or issued > now + LEEWAY:
        return BAD_ISSUED_AT
    if expires is None:
        return NO_EXPIRATION
    if not isinstance(expires, int | float) or expires <= now:
        return BAD_EXPIRATION
    return LATE_EXPIRATION if expires > now + LONGEST_LIFE else None
