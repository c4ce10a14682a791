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
        """The channel to an endpoint. Credentials are sent with each call and never belong to the channel."""
        if endpoint not in self._channels:
            # As in the clients' own channels: pages may have any size.
            options = [("grpc.max_receive_message_length", -1)]
            if endpoint.startswith("http://") or is_loopback(endpoint):
                # Never through a proxy, because the endpoint is on this machine.
                options.append(("grpc.enable_http_proxy", 0))
                made = grpc.aio.insecure_channel(endpoint.removeprefix("http://"), options=options)
            else:
                made = grpc.aio.secure_channel(endpoint, grpc.ssl_channel_credentials(), options=options)
            self._channels[endpoint] = made
        return self._channels[endpoint]

    def without_interceptors(self) -> None:
        """Remove the clients' interceptors, after all clients are built.

        Each of Google's clients puts an interceptor on the channel that it is given, which can log whole messages,
        names and all. We do not want that, and it costs every call an extra task.
        """
        for channel in self._channels.values():
            opened: Any = channel
            opened._unary_unary_interceptors.clear()  # noqa: SLF001 - there the clients themselves put them

    async def close(self) -> None:
        """Close all channels."""
        for channel in self._channels.values():
            await channel.close()
