"""A stand-in for the metadata server, which gives programs on Google Cloud their ID tokens.

As in https://cloud.google.com/compute/docs/instances/verifying-instance-identity#request_signature, but that nobody
signed the tokens: behind Cloud Run, which checks the signature, nobody looks at it any more.
"""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from infra.local.processes import free_port

_FLAVOR = {"Metadata-Flavor": "Google"}
_LIFETIME = 3600
_ACCOUNT = "/computeMetadata/v1/instance/service-accounts/default"


class MetadataServer:
    """Tells who a program is: a service account.

    Args:
        email: The service account's.
    """

    def __init__(self, email: str) -> None:
        self._email = email
        self.port: int | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What Google's libraries have to find in the environment of a program to ask here."""
        address = f"127.0.0.1:{self.port}"
        return {"GCE_METADATA_HOST": address, "GCE_METADATA_IP": address}

    @contextmanager
    def in_thread(self) -> Iterator[Self]:
        """Serve on a thread with an event loop of its own."""
        self.port = free_port()
        application = Starlette(
            routes=[
                Route("/", lambda request: _answer(request, "computeMetadata/\n")),
                Route(f"{_ACCOUNT}/", self._account),
                Route(f"{_ACCOUNT}/identity", self._identity),
            ]
        )
        config = uvicorn.Config(application, host="127.0.0.1", port=self.port, log_level="warning", lifespan="off")
        server, ready = uvicorn.Server(config), threading.Event()
        thread = threading.Thread(target=asyncio.run, args=(_serve(server, ready),), name="metadata-server")
        thread.start()
        try:
            if not ready.wait(30):
                raise RuntimeError("The metadata server's stand-in did not start")
            yield self
        finally:
            server.should_exit = True
            thread.join()

    def _account(self, request: Request) -> Response:
        return _answer(request, {"aliases": ["default"], "email": self._email, "scopes": []})

    def _identity(self, request: Request) -> Response:
        audience = request.query_params.get("audience")
        if not audience:
            return PlainTextResponse("non-empty audience parameter required", 400, _FLAVOR)
        claims = {
            "iss": "https://accounts.google.com",
            "aud": audience,
            "sub": "1",
            "exp": int(time.time()) + _LIFETIME,
        }
        if request.query_params.get("format") == "full":
            claims |= {"email": self._email, "email_verified": True}
        return _answer(request, ".".join((_encoded({"alg": "none"}), _encoded(claims), "")))


def _answer(request: Request, content: str | Mapping[str, object]) -> Response:
    if request.headers.get("metadata-flavor") != "Google":
        return PlainTextResponse("Missing required header: Metadata-Flavor", 403)
    if isinstance(content, str):
        return PlainTextResponse(content, headers=_FLAVOR)
    return JSONResponse(content, headers=_FLAVOR)


def _encoded(part: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


async def _serve(server: uvicorn.Server, ready: threading.Event) -> None:
    serving = asyncio.create_task(server.serve())
    while not (server.started or serving.done()):  # noqa: ASYNC110 - uvicorn has nothing to wait for but a flag
        await asyncio.sleep(0.005)
    ready.set()
    await serving
