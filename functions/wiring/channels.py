"""gRPC channels, shared by the clients of one endpoint."""

from __future__ import annotations

from typing import Any

import grpc.aio

from functions.settings import is_loopback


class Channels:
    """One gRPC channel to each endpoint."""

    def __init__(self) -> None:
        self._channels: dict[str, grpc.aio.Channel] = {}

    def to(self, endpoint: str) -> grpc.aio.Channel:
        """The channel to an endpoint. Whose calls they are goes with each call, never with the channel."""
        if endpoint not in self._channels:
            # As the clients' own channels: pages of any size.
            options = [("grpc.max_receive_message_length", -1)]
            if endpoint.startswith("http://") or is_loopback(endpoint):
                # Never through a proxy, being on this machine.
                options.append(("grpc.enable_http_proxy", 0))
                made = grpc.aio.insecure_channel(endpoint.removeprefix("http://"), options=options)
            else:
                made = grpc.aio.secure_channel(endpoint, grpc.ssl_channel_credentials(), options=options)
            self._channels[endpoint] = made
        return self._channels[endpoint]

    def without_interceptors(self) -> None:
        """Let calls go straight out, once all clients are built.

        Each of Google's clients puts an interceptor on the channel that it is given, which can log whole messages,
        names and all. Nobody wants that here, and it costs every call a task of its own.
        """
        for channel in self._channels.values():
            opened: Any = channel
            opened._unary_unary_interceptors.clear()  # noqa: SLF001 - there the clients themselves put them

    async def close(self) -> None:
        """End all of them."""
        for channel in self._channels.values():
            await channel.close()
