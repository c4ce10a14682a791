"""The benchmark's Meet: a minimal server in its own process, so that the benchmark does not measure the simulator.

`python -m bench.conference.lean FILE --delay-ms 30` serves the conferences in FILE (a pickle of `Conference`s). All
answers are made before the first call, with the code of the stand-in that checks every request; here nothing is
checked. It prints its address, and ends when its standard input ends. With `--refuse 0.5` it answers 429 to half of all
calls: at random, another seed other calls, and at most six times in a row for one request.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import pickle
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from google.apps.meet_v2 import types

from bench.figures.model import PAGE_SIZE
from infra.local.faults import Fault, Faults, Request
from infra.local.meet_answers import Asked, Meet
from infra.local.school import Conference, School

CALLS = "/bench.Lean/Calls"
"""A method that returns the calls since its last call, by method, how many were refused, and when, as JSON."""

IN_A_ROW = 6
"""How often the same request is refused before it is answered, at most."""

_RECORDS, _SPACES = "google.apps.meet.v2.ConferenceRecordsService", "google.apps.meet.v2.SpacesService"
Answers = Mapping[str, bytes]


def answers(conferences: Sequence[Conference]) -> Mapping[str, Answers]:
    """Return every answer, by method, and then by the name in the request followed by the page token."""
    now = datetime.now(UTC)
    school = School(lambda: now)
    for conference in conferences:
        school.hold(conference)
    meet = Meet(school, page_size_cap=None, empty_pages=False, check_access=False)

    def answer(method: Callable[[Any, Asked], Any], request: Any, organizer: str | None = None) -> Any:  # noqa: ANN401 - protobuf
        return method(request, Asked(Request("", "", 1, organizer, ""), 0, now))

    found: dict[str, dict[str, bytes]] = {
        name: {} for name in ("record", "space", "records", "participants", "sessions")
    }
    get_space, list_records = types.GetSpaceRequest.pb(), types.ListConferenceRecordsRequest.pb()
    for conference in conferences:
        record = answer(meet.get_conference_record, types.GetConferenceRecordRequest.pb()(name=conference.name))
        found["record"][conference.name] = record.SerializeToString()
        space = answer(meet.get_space, get_space(name=conference.space)).SerializeToString()
        found["space"][conference.space] = found["space"][f"spaces/{conference.meeting_code}"] = space
        listed = list_records(page_size=100, filter=f'space.name = "{conference.space}"')
        found["records"][conference.space] = answer(meet.list_conference_records, listed).SerializeToString()
        found["participants"].update(_participants(meet, conference, now))
        for attendee in conference.attendees_by_arrival:
            name = f"{conference.name}/participants/{attendee.id}"
            asked = types.ListParticipantSessionsRequest.pb()(parent=name, page_size=PAGE_SIZE)
            found["sessions"][name] = answer(meet.list_participant_sessions, asked).SerializeToString()
    return found


def _participants(meet: Meet, conference: Conference, now: datetime) -> dict[str, bytes]:
    """Return the pages of a conference, by its name and the page token."""
    pages, token, offset = {}, "", 0
    request = types.ListParticipantsRequest.pb()(parent=conference.name, page_size=PAGE_SIZE)
    while offset == 0 or token:
        page = meet.list_participants(request, Asked(Request("", "", 1, None, ""), offset, now))
        offset += len(page.participants)
        key = conference.name + token
        token = str(offset) if page.next_page_token else ""
        page.next_page_token = token
        pages[key] = page.SerializeToString()
    return pages


class Lean(grpc.GenericRpcHandler):
    """Answers each call after a fixed delay.

    Args:
        prepared: The result of `answers`.
        delay: Seconds.
        faults: Which calls are refused.
    """

    def __init__(self, prepared: Mapping[str, Answers], delay: float, faults: Faults | None = None) -> None:
        self._calls: Counter[str] = Counter()
        self._refused = 0
        self._times: list[float] = []
        self._delay = delay
        self._faults = faults or Faults()

        def named(request: Any) -> str:  # noqa: ANN401 - protobuf makes its classes at run time
            return str(request.name)

        def listed(request: Any) -> str:  # noqa: ANN401 - as above
            return f"{request.parent}{request.page_token}"

        def of_room(request: Any) -> str:  # noqa: ANN401 - as above
            return str(request.filter).partition('space.name = "')[2].partition('"')[0]

        self._methods = {
            f"/{service}/{method}": self._handler(method, prepared[of], key)
            for service, method, of, key in (
                (_RECORDS, "GetConferenceRecord", "record", named),
                (_RECORDS, "ListConferenceRecords", "records", of_room),
                (_RECORDS, "ListParticipants", "participants", listed),
                (_RECORDS, "ListParticipantSessions", "sessions", listed),
                (_SPACES, "GetSpace", "space", named),
            )
        } | {CALLS: grpc.unary_unary_rpc_method_handler(self._told)}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:  # noqa: ANN401 - gRPC's types know no method
        """Return the handler of a method."""
        return self._methods.get(str(handler_call_details.method))

    def _handler(self, method: str, prepared: Answers, key: Callable[[Any], str]) -> Any:  # noqa: ANN401 - as above
        async def handle(request: Any, context: Any) -> bytes:  # noqa: ANN401 - as above
            self._calls[method] += 1
            self._times.append(time.monotonic())
            await asyncio.sleep(self._delay)
            asked = key(request)
            fault = self._faults.strike(Request(method, asked))
            if fault and fault.status:
                self._refused += 1
                await context.abort(fault.status, "The benchmark refuses this call.")
            answer = prepared.get(asked)
            if answer is None:
                await context.abort(grpc.StatusCode.NOT_FOUND, f"{method}: the benchmark does not have {asked}")
                raise AssertionError  # abort raises
            return answer

        return grpc.unary_unary_rpc_method_handler(handle, getattr(types, f"{method}Request").pb().FromString)

    async def _told(self, _: bytes, __: Any) -> bytes:  # noqa: ANN401 - gRPC's context
        told = {"calls": self._calls, "refused": self._refused, "times": self._times}
        self._calls, self._refused, self._times = Counter(), 0, []
        return json.dumps(told).encode()


def refusing(share: float, *, seed: int) -> Faults:
    """Return a plan that refuses this share of the calls of every method, because of a quota."""
    methods = (
        "GetConferenceRecord",
        "ListConferenceRecords",
        "ListParticipants",
        "ListParticipantSessions",
        "GetSpace",
    )
    status = grpc.StatusCode.RESOURCE_EXHAUSTED
    return Faults([Fault(method, status, share=share, at_most_in_a_row=IN_A_ROW) for method in methods], seed)


async def _serve(conferences: Sequence[Conference], delay: float, faults: Faults | None) -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Lean(answers(conferences), delay, faults),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(grace=0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.conference.lean", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--delay-ms", type=float, default=30)
    parser.add_argument("--refuse", type=float, default=0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    plan = refusing(arguments.refuse, seed=arguments.seed) if arguments.refuse else None
    content = pickle.loads(arguments.file.read_bytes())  # noqa: S301 - written by the benchmark itself
    asyncio.run(_serve(content, arguments.delay_ms / 1000, plan))
