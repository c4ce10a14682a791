"""A stand-in for Google's signer of ID tokens: it signs tokens, and publishes its certificates as Google does.

https://www.googleapis.com/oauth2/v1/certs returns an object that maps the id of each key to its certificate in PEM.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from google.auth import crypt, jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.local.gate.calls import Rules
from infra.local.gate.endpoints import CERTIFICATES
from infra.local.serving import HttpStandIn

LIFETIME = 3600


class IdTokenIssuer(HttpStandIn):
    """Signs ID tokens with a key of its own.

    Args:
        key_id: The id of its key.

    Attributes:
        asked: How often the certificates were fetched.
        failing: Whether it answers 503.
        shown: The certificates that it publishes instead of its own.
    """

    def __init__(self, key_id: str = "key-1") -> None:
        self.key_id = key_id
        self.asked = 0
        self.failing = False
        self.shown: Mapping[str, str] | None = None

    def token(self, audience: str, *, header: Mapping[str, object] | None = None, **claims: object) -> str:
        """Return a token for this audience in Google's form.

        Further claims replace its own; a claim of None is left out.
        """
        now = int(time.time())
        usual = {
            "iss": "https://accounts.google.com",
            "aud": audience,
            "azp": "109876543210987654321",
            "sub": "109876543210987654321",
            "iat": now,
            "exp": now + LIFETIME,
            "email_verified": True,
        }
        said = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        signer = crypt.RSASigner.from_string(self.private_key, self.key_id)  # type: ignore[no-untyped-call] # untyped
        signed: bytes = jwt.encode(signer, said, header=dict(header or {}))  # type: ignore[no-untyped-call] # untyped
        return signed.decode()

    @cached_property
    def private_key(self) -> str:
        """Return its private key, in PEM."""
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        ).decode()

    @cached_property
    def certificate(self) -> str:
        """Return the certificate of its key, in PEM."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "federated-signon.system.gserviceaccount.com")])
        now = datetime.now(UTC)
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self._key.public_key())
        made = made.serial_number(x509.random_serial_number())
        made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=16))
        return made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def _rules(self) -> Sequence[Rules]:
        return (CERTIFICATES,)

    def _application(self) -> Starlette:
        return Starlette(routes=[Route("/oauth2/v1/certs", self._certificates)])

    async def _certificates(self, _: Request) -> Response:
        self.asked += 1
        if self.failing:
            return Response(status_code=503)
        shown = {self.key_id: self.certificate} if self.shown is None else self.shown
        return JSONResponse(dict(shown), headers={"Cache-Control": "public, max-age=21600"})
