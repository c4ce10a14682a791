"""How stand-ins serve: gRPC or HTTP on loopback, on their own thread if the caller blocks.

A stand-in defines its answers; this module starts and stops it. HTTP stand-ins always answer through a gate that checks
every call against Google's documentation (`infra.local.gate`).
"""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Self, final

import grpc
import grpc.aio
import uvicorn
from starlette.applications import Starlette

from infra.local.gate.calls import Refusals, Rules
from infra.local.gate.middleware import Gate
from infra.local.processes import free_port


class GrpcStandIn(ABC):
    """A stand-in that official gRPC clients call, over loopback without TLS.

    If it refused calls as Google would and nobody took `refusals`, serving it ends with the error `CallsRefused`.
    """

    _server: grpc.aio.Server | None = None
    _address: str | None = None

    @abstractmethod
    def _handlers(self) -> list[grpc.GenericRpcHandler]:
        """Return its answers to calls."""

    @cached_property
    def refusals(self) -> Refusals:
        """Return the calls that were refused as Google refuses them; any thread may take them."""
        return Refusals()

    @property
    def address(self) -> str:
        """Return host and port, in the form for a gRPC channel."""
        if self._address is None:
            raise RuntimeError("A stand-in has no address before it has started")
        return self._address

    @property
    def endpoint(self) -> str:
        """Return the address as a URL."""
        return f"http://{self.address}"

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Serve on this port, or on a free port; RuntimeError if the port is in use."""
        # Without this option Linux lets two servers share a port, and each gets some of the calls.
        server = grpc.aio.server(handlers=self._handlers(), options=[("grpc.so_reuseport", 0)])
        self._address = f"{host}:{server.add_insecure_port(f'{host}:{port}')}"
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Stop; running calls have a moment to finish and are then cancelled."""
        if self._server is not None:
            # Without a grace period, the client's gRPC core reports on stderr that an error ended the connection.
            await self._server.stop(grace=0.1)
            self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        await self.stop()
        self._check(error)

    def _check(self, error: BaseException | None) -> None:
        """Fail with the refused calls; if something else has failed, add them to that error."""
        if error is None:
            self.refusals.check(type(self).__name__)
            return
        for refusal in self.refusals.take():
            error.add_note(f"{type(self).__name__} refused, as Google would: {refusal}")

    @contextmanager
    def in_thread(self, host: str = "127.0.0.1", port: int = 0) -> Iterator[Self]:
        """Serve on a thread with its own event loop, for callers that block their event loop or have none."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name=type(self).__name__)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.start(host, port), loop).result()
            try:
                yield self
            except BaseException as error:
                self._check(error)
                raise
            finally:
                asyncio.run_coroutine_threadsafe(self.stop(), loop).result()
            self._check(None)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


class HttpStandIn(ABC):
    """A stand-in that is called over HTTP on loopback, by official blocking clients or by other programs.

    It refuses and records calls that Google would refuse. After a refusal, serving ends with `CallsRefused`. So a test
    does not pass because the code mistakes a refusal for an outage. A test that expects a refusal takes the record.

    Attributes:
        tls: A certificate and its key, for https.
    """

    port: int | None = None
    tls: tuple[Path, Path] | None = None

    @abstractmethod
    def _application(self) -> Starlette:
        """Return its answers to calls."""

    @abstractmethod
    def _rules(self) -> Sequence[Rules]:
        """Return the rules that check calls: every served path is in one of them."""

    def _before_stop(self) -> None:  # noqa: B027 - most have nothing to do
        """End calls that would never end by themselves. It is called on the serving thread."""

    @cached_property
    def refusals(self) -> Refusals:
        """Return the calls that were refused as Google refuses them; any thread may take them."""
        return Refusals()

    @property
    def endpoint(self) -> str:
        """Return the address as a URL."""
        if self.port is None:
            raise RuntimeError("A stand-in has no address before it has started")
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @final
    @contextmanager
    def in_thread(self, port: int = 0) -> Iterator[Self]:
        """Serve on a thread with its own event loop.

        Raises:
            CallsRefused: At the end, if it refused calls and nobody took `refusals`.
        """
        try:
            with self._served(port):
                yield self
        except BaseException as error:
            for refusal in self.refusals.take():
                error.add_note(f"{type(self).__name__} refused, as Google would: {refusal}")
            raise
        self.refusals.check(type(self).__name__)

    @contextmanager
    def _served(self, port: int) -> Iterator[None]:
        self.port = port or free_port()
        certificate, key = self.tls or (None, None)
        config = uvicorn.Config(
            Gate(self._application(), self._rules(), self.refusals),
            host="127.0.0.1",
            port=self.port,
            log_level="warning",
            lifespan="off",
            ssl_certfile=certificate,
            ssl_keyfile=key,
        )
        server, ready = uvicorn.Server(config), threading.Event()
        thread = threading.Thread(target=asyncio.run, args=(_serve(server, ready),), name=type(self).__name__)
        thread.start()
        try:
            if not ready.wait(30) or not server.started:
                raise RuntimeError(f"{type(self).__name__} did not start")
            yield
        finally:
            self._before_stop()
            server.should_exit = True
            thread.join()


async def _serve(server: uvicorn.Server, ready: threading.Event) -> None:
    serving = asyncio.create_task(server.serve())
    while not (server.started or serving.done()):  # noqa: ASYNC110 - uvicorn has nothing to wait for but a flag
        await asyncio.sleep(0.005)
    ready.set()
    await serving
