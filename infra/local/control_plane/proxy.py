"""The proxy that answers in place of Google; each proxy serves one world."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import http.server
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from infra.local.control_plane.refusals import Refusal
from infra.local.control_plane.world import World

_HOSTS = ("googleapis.com", "*.googleapis.com", "*.google.com", "*.a.run.app")


def make_certificate(folder: Path) -> Path:
    """Make a self-signed certificate for Google's names, with its key next to it; return the certificate's path."""
    certificate = folder / "google.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A stand-in for Google")])
    now = dt.datetime.now(dt.UTC)
    alternatives: list[x509.GeneralName] = [x509.DNSName(host) for host in _HOSTS]
    alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "google.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate


class _Handler(http.server.BaseHTTPRequestHandler):
    """A connection: first CONNECT, then the requests to one host over TLS."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm: ClassVar[bool] = True
    timeout = 60

    def __init__(self, world: World, tls: ssl.SSLContext, *args: Any) -> None:  # noqa: ANN401 - the server's own
        self._world = world
        self._tls = tls
        self._host = ""
        super().__init__(*args)

    def do_CONNECT(self) -> None:
        """Answer in place of the requested host."""
        self._host = self.path.partition(":")[0]
        self.send_response(200, "Connection established")
        self.end_headers()
        # It is also closed when the client is killed in the middle of a request.
        with self._tls.wrap_socket(self.connection, server_side=True) as self.connection:
            self.rfile = self.connection.makefile("rb", -1)
            self.wfile = self.connection.makefile("wb", 0)
            self.close_connection = False
            while not self.close_connection:
                self.handle_one_request()

    def _answer(self) -> None:
        content = self._content()
        address = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            status, answer = self._world.answer(self.command, self._host or address.netloc, address, content, headers)
        except Refusal as refusal:
            status, answer = refusal.code, refusal.body()
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json; charset=UTF-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _content(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - the base class looks for these names

    def finish(self) -> None:
        """Also close the TLS connection: the server only knows the connection without TLS."""
        super().finish()
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Print nothing: the world records every call."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore programs that close the connection: this is not an error."""


@contextlib.contextmanager
def serving(world: World, certificate: Path) -> Iterator[str]:
    """Serve a world; give the proxy's URL."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, certificate.with_suffix(".key"))
    server = _Server(("127.0.0.1", 0), functools.partial(_Handler, world, tls))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def environment(proxy: str, certificate: Path, folder: Path) -> dict[str, str]:
    """Return the variables that make gcloud, curl and Python use a proxy, without the user's own settings."""
    folder.mkdir(parents=True, exist_ok=True)
    token = folder / "token"
    token.write_text("ya29.stand-in\n")
    (folder / "gcloud").mkdir(exist_ok=True)
    return {
        "HTTPS_PROXY": proxy,
        "https_proxy": proxy,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "CURL_CA_BUNDLE": str(certificate),
        "SSL_CERT_FILE": str(certificate),
        "REQUESTS_CA_BUNDLE": str(certificate),
        "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": str(certificate),
        "CLOUDSDK_CONFIG": str(folder / "gcloud"),
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_FILE_LOGGING": "1",
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token),
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
        "HOME": str(folder),
    }
