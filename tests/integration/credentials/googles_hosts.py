"""Google's own host names on this machine: behind a proxy, with our own certificate."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from infra.local.gate.calls import Rules
from infra.local.gate.endpoints import OAUTH
from infra.local.serving import HttpStandIn

TOKENS = "oauth2.googleapis.com"


@dataclass(frozen=True)
class GooglesHosts:
    """The environment variables that make a process use these hosts."""

    env: dict[str, str]


@contextmanager
def googles_hosts(folder: Path, *, status: int, answer: dict[str, object]) -> Iterator[GooglesHosts]:
    """Serve Google's token endpoint, which has one answer, and all its gRPC hosts, which have no methods.

    Args:
        folder: The folder for the certificate.
        status: The HTTP status of the token endpoint.
        answer: The body of its answer.
    """
    certificate, key = _certificate(folder)
    with ExitStack() as running:
        tokens = running.enter_context(_TokenEndpoint(certificate, key, status, answer).in_thread())
        services = running.enter_context(_services(certificate, key))
        proxy = running.enter_context(_proxy({TOKENS: int(tokens.port or 0)}, otherwise=services))
        yield GooglesHosts(
            {
                "https_proxy": f"http://127.0.0.1:{proxy}",
                "REQUESTS_CA_BUNDLE": str(certificate),
                "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(certificate),
            }
        )


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "googleapis.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("*.googleapis.com")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


class _TokenEndpoint(HttpStandIn):
    """The token endpoint, which gives one answer to every well-formed request."""

    def __init__(self, certificate: Path, key: Path, status: int, answer: dict[str, object]) -> None:
        self.tls = (certificate, key)
        self._status = status
        self._answer = answer

    def _rules(self) -> Sequence[Rules]:
        return (OAUTH,)

    def _application(self) -> Starlette:
        return Starlette(routes=[Route("/token", lambda _: JSONResponse(self._answer, self._status), methods=["POST"])])


@contextmanager
def _in_thread(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def _services(certificate: Path, key: Path) -> Iterator[int]:
    server = grpc.server(ThreadPoolExecutor(2))
    pair = [(key.read_bytes(), certificate.read_bytes())]
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(pair))
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


@contextmanager
def _proxy(ports: dict[str, int], *, otherwise: int) -> Iterator[int]:
    """Serve an HTTPS proxy that connects every host to a port of this machine; its connections end with it.

    A host would wait for half a minute until a client that keeps its connection has said goodbye.
    """
    connections = []

    class Leads(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            host = self.path.partition(":")[0]
            with socket.create_connection(("127.0.0.1", ports.get(host, otherwise))) as there:
                connections.append(there)
                self.send_response(200)
                self.end_headers()
                back = threading.Thread(target=_copied, args=(there, self.connection))
                back.start()
                _copied(self.connection, there)
                back.join()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Leads)
    with _in_thread(server):
        yield server.server_address[1]
    for connection in connections:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _copied(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
