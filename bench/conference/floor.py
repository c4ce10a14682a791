"""The floor: the same calls and the same commit with as little other work as possible, in its own process.

It uses only asyncio gRPC with protobuf messages: no Google client, no retries, no checks, no computation. No Python
program that makes these calls can be much faster.

`python -m bench.conference.floor MEET FIRESTORE` reads orders from its standard input, one per line as JSON: the
conference record, and a file with the commit (a serialized `CommitRequest`). It answers each order with the seconds and
the CPU seconds.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

import grpc.aio
from google.apps.meet_v2 import types as meet_types
from google.cloud.firestore_v1 import types as firestore_types

from bench.conference.documents import OWNER
from bench.figures.model import PAGE_SIZE

Message = Any  # protobuf makes its classes at run time, so the type checker does not know them

_GetRecord = meet_types.GetConferenceRecordRequest.pb()
_GetSpace = meet_types.GetSpaceRequest.pb()
_ListParticipants = meet_types.ListParticipantsRequest.pb()
_ListSessions = meet_types.ListParticipantSessionsRequest.pb()
_Commit = firestore_types.CommitRequest.pb()

_RECORDS = "/google.apps.meet.v2.ConferenceRecordsService"


DEADLINE = 60.0
"""The time limit for one answer of Meet, in seconds."""


class Floor:
    """gRPC clients without Google's libraries. Create it in the event loop in which it runs.

    Args:
        meet: `host:port` of the simulated Meet.
        firestore: `host:port` of the emulator.
    """

    def __init__(self, meet: str, firestore: str) -> None:
        self._meet = grpc.aio.insecure_channel(meet)
        self._firestore = grpc.aio.insecure_channel(firestore)
        self._get_record = self._method(f"{_RECORDS}/GetConferenceRecord", _GetRecord, meet_types.ConferenceRecord.pb())
        self._get_space = self._method("/google.apps.meet.v2.SpacesService/GetSpace", _GetSpace, meet_types.Space.pb())
        self._list_participants = self._method(
            f"{_RECORDS}/ListParticipants", _ListParticipants, meet_types.ListParticipantsResponse.pb()
        )
        self._list_sessions = self._method(
            f"{_RECORDS}/ListParticipantSessions", _ListSessions, meet_types.ListParticipantSessionsResponse.pb()
        )
        self._commit = self._firestore.unary_unary(
            "/google.firestore.v1.Firestore/Commit",
            request_serializer=_Commit.SerializeToString,
            response_deserializer=firestore_types.CommitResponse.pb().FromString,
        )

    async def record(self, conference_record: str, commit: Message) -> None:
        """Read the conference with as many parallel calls as possible, then commit.

        Args:
            conference_record: The record to read.
            commit: The `google.firestore.v1.CommitRequest`.
        """
        await asyncio.gather(self._record_and_space(conference_record), self._participants(conference_record))
        await self._commit(commit, metadata=OWNER)

    async def close(self) -> None:
        """Close the connections to Meet and Firestore."""
        await self._meet.close()
        await self._firestore.close()

    async def _record_and_space(self, conference_record: str) -> None:
        record = await self._get_record(_GetRecord(name=conference_record), **_routed("name", conference_record))
        await self._get_space(_GetSpace(name=record.space), **_routed("name", record.space))

    async def _participants(self, conference_record: str) -> None:
        """Request each page's sessions as soon as the page arrives, together with the next page."""
        sessions: list[asyncio.Future[list[Message]]] = []
        request = _ListParticipants(parent=conference_record, page_size=PAGE_SIZE)
        while True:
            page = await self._list_participants(request, **_routed("parent", conference_record))
            calls = (
                self._list_sessions(
                    _ListSessions(parent=participant.name, page_size=PAGE_SIZE), **_routed("parent", participant.name)
                )
                for participant in page.participants
            )
            sessions.append(asyncio.gather(*calls))
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        await asyncio.gather(*sessions)

    def _method(self, path: str, request: Message, response: Message) -> grpc.aio.UnaryUnaryMultiCallable[Any, Any]:
        return self._meet.unary_unary(
            path, request_serializer=request.SerializeToString, response_deserializer=response.FromString
        )


def _routed(field: str, name: str) -> dict[str, Any]:
    """Return what every call to Meet needs with any client: a deadline and the routing header."""
    return {"timeout": DEADLINE, "metadata": (("x-goog-request-params", f"{field}={name}"),)}


async def _take_orders(meet: str, firestore: str) -> None:
    floor = Floor(meet, firestore)
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        commit = _Commit.FromString(Path(order["commit"]).read_bytes())  # noqa: ASYNC240 - nothing else is under way
        gc.collect()
        began, used = time.perf_counter(), time.process_time()
        await floor.record(order["conference_record"], commit)
        print(json.dumps([time.perf_counter() - began, time.process_time() - used]), flush=True)
    await floor.close()


if __name__ == "__main__":
    asyncio.run(_take_orders(*sys.argv[1:]))
