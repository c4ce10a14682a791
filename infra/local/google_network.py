"""Google's hosts on this machine: a proxy that connects a program to the stand-in of each host.

The program connects to `meet.googleapis.com:443` as in the cloud: through the proxy, with TLS, and with a certificate
that it is told to trust. The proxy passes the decrypted bytes to the stand-in unchanged, both for gRPC and for HTTP. It
refuses a host without a stand-in: nothing leaves this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
import threading
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from pathlib import Path

_Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_REFUSED = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n"


class GoogleNetwork:
    """A proxy on loopback.

    Args:
        stand_ins: `127.0.0.1:PORT` by Google's name for the host.
        grpc: Those of the hosts that use gRPC.
        certificate: A certificate for all the hosts; its key is in a file of the same name that ends in `.key`.

    Attributes:
        tls: `127.0.0.1:PORT` by Google's name for the host, available once it serves. These addresses use TLS without a
            proxy, for libraries that do not support proxies.
        refused: Hosts without a stand-in that a program tried to reach.
    """

    def __init__(self, stand_ins: Mapping[str, str], *, grpc: Collection[str], certificate: Path) -> None:
        self._stand_ins = dict(stand_ins)
        self._certificate = certificate
        self._contexts = {host: _tls(certificate, "h2" if host in grpc else "http/1.1") for host in stand_ins}
        self._connections: set[asyncio.Task[None]] = set()
        self.tls: dict[str, str] = {}
        self.refused: list[str] = []

    def lead(self, host: str, address: str) -> None:
        """From now on, the proxy also connects this HTTP host to `127.0.0.1:PORT`."""
        self._contexts[host] = _tls(self._certificate, "http/1.1")
        self._stand_ins[host] = address

    @contextlib.contextmanager
    def in_thread(self) -> Iterator[dict[str, str]]:
        """Serve on a thread; give the environment variables that make a program use this proxy."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="GoogleNetwork")
        thread.start()
        try:
            port = asyncio.run_coroutine_threadsafe(self._start(), loop).result()
            try:
                yield self._environment(port)
            finally:
                asyncio.run_coroutine_threadsafe(self._stop(), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def _environment(self, port: int) -> dict[str, str]:
        return {
            "CURL_CA_BUNDLE": str(self._certificate),
            "https_proxy": f"http://127.0.0.1:{port}",
            "no_proxy": "127.0.0.1,localhost",
            "REQUESTS_CA_BUNDLE": str(self._certificate),
            "HTTPLIB2_CA_CERTS": str(self._certificate),
            "SSL_CERT_FILE": str(self._certificate),
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(self._certificate),
        }

    async def _start(self) -> int:
        proxy = await asyncio.start_server(self._kept(self._asked), "127.0.0.1", 0)
        self._servers = [proxy]
        for host, context in list(self._contexts.items()):
            straight = self._kept(functools.partial(self._led, host))
            server = await asyncio.start_server(straight, "127.0.0.1", 0, ssl=context)
            self._servers.append(server)
            self.tls[host] = f"127.0.0.1:{_port(server)}"
        return _port(proxy)

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _kept(self, serve: _Serve) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        """Serve connections in tasks that are cancelled at the end."""

        async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    await serve(reader, writer)
            finally:
                await _aborted(writer)

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.get_running_loop().create_task(quietly(reader, writer))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

        return connected

    async def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection to the proxy: it first names the host that it wants to reach."""
        request = await reader.readuntil(b"\r\n\r\n")
        host = request.split()[1].decode().partition(":")[0]
        if host not in self._stand_ins:
            self.refused.append(host)
            writer.write(_REFUSED)
            await writer.drain()
            return
        writer.write(_ESTABLISHED)
        await writer.start_tls(self._contexts[host])
        await self._led(host, reader, writer)

    async def _led(self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a TLS connection and pass its bytes to the stand-in."""
        address, _, port = self._stand_ins[host].partition(":")
        there_reader, there_writer = await asyncio.open_connection(address, int(port))
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_copied(reader, there_writer))
                both.create_task(_copied(there_reader, writer))
        except* OSError:
            pass  # one of the two sides has closed the connection
        finally:
            await _aborted(there_writer)


async def _aborted(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _port(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


async def _copied(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Copy bytes until the source ends; this ends the connection."""
    while data := await source.read(65536):
        target.write(data)
        await target.drain()
    raise ConnectionResetError


def _tls(certificate: Path, protocol: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    context.set_alpn_protocols([protocol])
    return context
