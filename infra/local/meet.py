"""A stand-in for the Google Meet API v2, for the official gRPC client over loopback without TLS.

It serves a `School` as documented in https://developers.google.com/workspace/meet/api/reference/rpc and fails
as Google's servers do, where a fault plan says so. `python -m infra.local.meet` runs it on its own.

The metadata `x-acting-as` names the caller, as "users/ID" or an e-mail address that the school knows. Without it,
everything may be read. There are no credentials, because no data here is secret. If tokens are issued, the caller is
the account of the token.
"""

import argparse
import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import grpc
import grpc.aio
from google.apps.meet_v2 import types

from infra.local import filters
from infra.local.callers import (
    MAKE_ROOMS,
    READ_ALL,
    READ_MEETINGS,
    READ_ROOMS,
    Tokens,
    caller_of,
    metadata_of,
    scopes_of,
)
from infra.local.classes import believable_class
from infra.local.faults import Fault, Faults, Refusal, Request
from infra.local.gate.calls import Refusal as Recorded
from infra.local.grpc_gate import Rule, applied, broken_by, masked
from infra.local.meet_answers import Asked, Malformed, Meet, Message, listing
from infra.local.quotas import Quotas
from infra.local.school import School
from infra.local.serving import GrpcStandIn

Context = grpc.aio.ServicerContext[Message, Message]

RECORD, SPACE = "conferenceRecords/{}", "spaces/{}"
PARTICIPANT = f"{RECORD}/participants/{{}}"
RULES = {
    "GetConferenceRecord": Rule("name", RECORD, types.ConferenceRecord.pb()),
    "ListConferenceRecords": Rule(answer=types.ListConferenceRecordsResponse.pb()),
    "GetParticipant": Rule("name", PARTICIPANT, types.Participant.pb()),
    "ListParticipants": Rule("parent", RECORD, types.ListParticipantsResponse.pb()),
    "GetParticipantSession": Rule("name", f"{PARTICIPANT}/participantSessions/{{}}", types.ParticipantSession.pb()),
    "ListParticipantSessions": Rule("parent", PARTICIPANT, types.ListParticipantSessionsResponse.pb()),
    "CreateSpace": Rule(answer=types.Space.pb()),
    "GetSpace": Rule("name", SPACE, types.Space.pb()),
}
"""Resource names: https://developers.google.com/workspace/meet/api/reference/rpc/google.apps.meet.v2"""

ACCEPTED = {"CreateSpace": MAKE_ROOMS, "GetSpace": READ_ROOMS}
"""A token needs one of these scopes, for methods that need other scopes than conference records."""


@dataclass(slots=True)
class Call:
    """One call that arrived: the request, the account, the real time, and the answer when it is sent.

    `resource` is the name or the parent in the request; `page` counts from 1.
    """

    method: str
    resource: str
    page: int
    acting_as: str | None
    at: datetime
    status: grpc.StatusCode | None = None


class Calls(list[Call]):
    """Every call in the order of arrival. Threads may share it: each of its steps is atomic."""

    def by_method(self) -> Counter[str]:
        """Count the calls of each method."""
        return Counter(call.method for call in self.copy())


class MeetSimulator(GrpcStandIn):
    """Serves a school as ConferenceRecordsService and SpacesService.

    Every call takes at least `delay`. With `page_size_cap`, pages are smaller than requested: "the service might return
    fewer". With `empty_pages`, every second page is empty, and this does not end a list. `faults`, `delay` and `calls`
    may be used from any thread while it runs. With `quotas`, it refuses more calls than they
    allow.

    A request that Google would refuse is refused, with a message that names the field and the rule. It is recorded in
    `refusals`.
    """

    def __init__(
        self,
        school: School,
        *,
        delay: timedelta = timedelta(0),
        faults: Faults | None = None,
        page_size_cap: int | None = None,
        empty_pages: bool = False,
        check_access: bool = True,
        tokens: Tokens | None = None,
        quotas: Quotas | None = None,
    ) -> None:
        self.school = school
        self.quotas = quotas
        self._tokens = tokens
        self.delay = delay
        self.faults = faults if faults is not None else Faults()
        self.calls = Calls()
        self.owed = 0
        """The number of calls that wait for their answer now."""
        self._meet = Meet(school, page_size_cap=page_size_cap, empty_pages=empty_pages, check_access=check_access)

    @property
    def hides_missing(self) -> bool:
        """Whether a missing resource gets the same answer as a hidden one; if not, the answer is NOT_FOUND."""
        return self._meet.hides_missing

    @hides_missing.setter
    def hides_missing(self, hides: bool) -> None:
        self._meet.hides_missing = hides

    def _handlers(self) -> list[grpc.GenericRpcHandler]:
        services: Mapping[str, Mapping[str, Callable[[Message, Asked], Message]]] = {
            "google.apps.meet.v2.ConferenceRecordsService": {
                "GetConferenceRecord": self._meet.get_conference_record,
                "ListConferenceRecords": self._meet.list_conference_records,
                "GetParticipant": self._meet.get_participant,
                "ListParticipants": self._meet.list_participants,
                "GetParticipantSession": self._meet.get_participant_session,
                "ListParticipantSessions": self._meet.list_participant_sessions,
            },
            "google.apps.meet.v2.SpacesService": {
                "CreateSpace": self._meet.create_space,
                "GetSpace": self._meet.get_space,
            },
        }
        return [
            grpc.method_handlers_generic_handler(
                service, {method: self._handler(method, answer) for method, answer in methods.items()}
            )
            for service, methods in services.items()
        ]

    def _handler(
        self, method: str, answer: Callable[[Message, Asked], Message]
    ) -> "grpc.RpcMethodHandler[Message, Message]":  # generic in stubs only
        accepted = ACCEPTED.get(method, READ_MEETINGS)

        async def handle(request: Message, context: Context) -> Message:
            resource = getattr(request, "parent", "") or getattr(request, "name", "")
            call = Call(method, resource, 1, None, datetime.now(UTC))
            self.calls.append(call)
            self.owed += 1
            try:
                metadata, remaining = metadata_of(context), context.time_remaining()
                call.acting_as = caller_of(metadata, self._tokens, accepted=accepted)
                _check(broken_by(RULES[method], request, metadata, deadline=remaining))
                scopes = scopes_of(metadata, self._tokens)
                made_alone = scopes is not None and not scopes & {READ_ALL}
                if self.quotas:
                    self.quotas.take(method, call.acting_as or "")
                message = await self._answer(call, request, answer, made_alone=made_alone, mask=masked(metadata))
            except Malformed as malformed:
                call.status = malformed.status
                self.refusals.add(Recorded(f"{method} {resource}", malformed.message))
                await context.abort(malformed.status, malformed.message, malformed.trailing_metadata())
            except Refusal as refusal:
                call.status = refusal.status
                await context.abort(refusal.status, refusal.message, refusal.trailing_metadata())
            except asyncio.CancelledError:
                call.status = grpc.StatusCode.CANCELLED
                raise
            finally:
                self.owed -= 1
            call.status = grpc.StatusCode.OK
            return message

        request_type = getattr(types, f"{method}Request").pb()
        return grpc.unary_unary_rpc_method_handler(
            handle, request_type.FromString, lambda message: message.SerializeToString()
        )

    async def _answer(
        self,
        call: Call,
        request: Message,
        method: Callable[[Message, Asked], Message],
        *,
        made_alone: bool,
        mask: list[str] | None,
    ) -> Message:
        if self.delay:
            await asyncio.sleep(self.delay.total_seconds())
        asked = Request(call.method, call.resource, 1, call.acting_as, getattr(request, "filter", ""))
        try:
            call.page, offset = self._meet.tokens.read(listing(asked), getattr(request, "page_token", ""))
            asked = asked._replace(page=call.page)
            fault = self.faults.strike(asked)
            if fault is not None:
                await _suffer(fault)
            asked_for = Asked(asked, offset, self.school.clock(), made_alone=made_alone, mask=mask)
            return applied(mask, method(request, asked_for))
        except filters.ListError as error:
            raise Malformed(str(error)) from error


def _check(broken: Iterable[str]) -> None:
    if sentences := list(broken):
        raise Malformed("\n".join(sentences))


async def _suffer(fault: Fault) -> None:
    if fault.drop:
        await asyncio.Event().wait()
    if fault.delay is not None:
        await asyncio.sleep(fault.delay.total_seconds())
    if fault.status is not None:
        raise Refusal(fault.status, f"Planned fault: {fault.status.name}", fault.reason)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m infra.local.meet",
        description="Serve a simulated Google Meet with one class that has just ended, until interrupted. "
        "Prints the endpoint, then the name of the conference record.",
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--seed", type=int, default=7, help="the same seed makes the same class")
    parser.add_argument("--people", type=int, default=30, help="how many take part, the teacher included")
    parser.add_argument("--delay-ms", type=float, default=30, help="what each call takes at least")
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    length = timedelta(minutes=50)
    conference = believable_class(
        arguments.seed, people=arguments.people, start=datetime.now(UTC) - length, length=length
    )
    school = School(lambda: datetime.now(UTC))
    school.hold(conference)
    simulator = MeetSimulator(school, delay=timedelta(milliseconds=arguments.delay_ms))
    stopping = asyncio.Event()
    for interruption in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(interruption, stopping.set)
    try:
        await simulator.start(port=arguments.port)
    except RuntimeError:
        sys.exit(f"Port {arguments.port} of 127.0.0.1 cannot be used: is it taken? Choose another port: --port")
    print(simulator.endpoint, conference.name, sep="\n", flush=True)
    await stopping.wait()
    await simulator.stop()


if __name__ == "__main__":
    asyncio.run(_serve(_arguments()))
