"""Google Meet: reads one conference completely, and lists conferences, with the official client.

https://developers.google.com/workspace/meet/api/guides/conferences
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from google.apps import meet_v2

from functions.adapters.google.calls.services import MEET
from functions.adapters.google.credentials.capabilities import Capability, CredentialsPool
from functions.adapters.google.meet.at_hand import AtHand, awaited
from functions.adapters.google.meet.calls import MeetCalls, Naming, ReadingCalls
from functions.adapters.google.meet.pages import Message, pages
from functions.domain.conferences.model import (
    AnonymousUser,
    ConferenceRecord,
    Organizer,
    Participant,
    ParticipantSession,
    PhoneUser,
    Reading,
    SignedInUser,
    Snapshot,
    Space,
    User,
    clean_display_name,
)
from functions.domain.conferences.rereading import NOTHING_KNOWN, Known
from functions.domain.conferences.seen import SeenSessions
from functions.domain.errors import AccessDenied, RequestRefused, TokenNotAccepted, Unavailable
from functions.domain.live.calls import RollCall
from functions.domain.quota.queue import USUAL_CALLS
from functions.ports.clock import Clock
from functions.ports.google import Listing, no_events

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

PAGE_SIZE = 250
"""The maximum page size of participants.list and participantSessions.list; pages may be smaller."""

RECORDS_PAGE_SIZE = 100
"""The maximum page size of conferenceRecords.list; pages may be smaller."""

STILL_THERE = "latest_end_time IS NULL"
"""The filter of participants.list for those who have not left.
https://developers.google.com/workspace/meet/api/reference/rest/v2/conferenceRecords.participants/list"""

SPACE_ATTEMPTS = 7
"""How often the room of a conference is requested at most: it must not delay the attendance for long."""

_ParticipantsRequest = meet_v2.ListParticipantsRequest.pb()
_SessionsRequest = meet_v2.ListParticipantSessionsRequest.pb()
_EPOCH = datetime.fromtimestamp(0, UTC)


class MeetConferences:
    """`functions.ports.google.Conferences` on the Meet REST API v2.

    A conference of N participants costs N calls, plus one for each page of participants, one for the record and one for
    its space. They run at the same time: sessions are requested while later pages are still missing.

    Args:
        records: The official asynchronous client for conference records.
        spaces: The official asynchronous client for spaces.
        calls: How calls are made.
        credentials: Whose account the calls use.
        clock: The current time.
    """

    def __init__(
        self,
        records: meet_v2.ConferenceRecordsServiceAsyncClient,
        spaces: meet_v2.SpacesServiceAsyncClient,
        *,
        calls: MeetCalls,
        credentials: CredentialsPool,
        clock: Clock,
    ) -> None:
        self._records = records
        self._participant_pages = pages(records.transport.list_participants, meet_v2.ListParticipantsRequest)
        self._session_pages = pages(records.transport.list_participant_sessions, meet_v2.ListParticipantSessionsRequest)
        self._spaces = spaces
        self._calls = calls
        self._credentials = credentials
        self._clock = clock

    async def read(
        self,
        conference_record: str,
        *,
        organizer: Organizer,
        known: Known = NOTHING_KNOWN,
        keep: Callable[[Participant], None] = lambda _: None,
        events: Callable[[], Awaitable[SeenSessions]] = no_events,
        on_record: Callable[[ConferenceRecord], None] = lambda _: None,
        on_page: Callable[[Sequence[Participant]], None] = lambda _: None,
    ) -> Reading:
        """See the port."""
        pulled_at = self._clock()
        # A second read asks for little more than the record and a page.
        expected = 2 if known.participants else USUAL_CALLS
        call = self._as(organizer, carefully=known.interrupted, expected=expected)
        try:
            async with asyncio.TaskGroup() as tasks:
                # Nobody waits for the events until the first page of participants has come.
                seen = tasks.create_task(awaited(events))
                at_hand = AtHand(known, seen, keep, on_page)
                reading = self._carefully if known.interrupted else self._at_once
                snapshot = tasks.create_task(reading(conference_record, call, at_hand, on_record))
        except ExceptionGroup as group:
            raise _first(group) from None
        return Reading(
            snapshot.result(),
            pulled_at=pulled_at,
            meet_calls=call.count,
            sessions_source=at_hand.source,
            seen=seen.result().names,
        )

    async def _at_once(
        self,
        conference_record: str,
        call: ReadingCalls,
        at_hand: AtHand,
        on_record: Callable[[ConferenceRecord], None],
    ) -> Snapshot:
        async with asyncio.TaskGroup() as tasks:
            about = tasks.create_task(self._record_and_space(conference_record, call, at_hand.known.space, on_record))
            people = tasks.create_task(
                self._participants(conference_record, call, at_hand, ended_at=at_hand.known.ended_at)
            )
        record, space = about.result()
        return Snapshot(record, space, people.result())

    async def _carefully(
        self,
        conference_record: str,
        call: ReadingCalls,
        at_hand: AtHand,
        _: Callable[[ConferenceRecord], None],
    ) -> Snapshot:
        """Read one thing after the other, because Meet failed before and may fail again.

        What may be missing comes last.
        """
        record = await self._record(conference_record, call)
        people = await self._participants(conference_record, call, at_hand, ended_at=record.end_time)
        return Snapshot(record, await self._space(record.space, call, at_hand.known.space), people)

    async def record(self, conference_record: str, *, organizer: Organizer) -> ConferenceRecord:
        """See the port."""
        return await self._record(conference_record, self._as(organizer))

    async def present(self, conference_record: str, *, organizer: Organizer) -> RollCall:
        """See the port."""
        began_at = self._clock()
        call = self._as(organizer)
        listed = self._listed(conference_record, call, STILL_THERE)
        people = {message.name: _participant(message) async for page in listed for message in page}
        return RollCall(began_at, tuple(people[name] for name in sorted(people)))

    async def list(
        self, *, space: str | None, since: datetime, until: datetime | None, organizer: Organizer
    ) -> Listing:
        """See the port. https://developers.google.com/workspace/meet/api/reference/rest/v2/conferenceRecords/list."""
        began_at = self._clock()
        call = self._as(organizer)
        wanted = _records_filter(space, since, until)
        records: dict[str, ConferenceRecord] = {}
        token = ""
        while True:
            request = meet_v2.ListConferenceRecordsRequest(filter=wanted, page_size=RECORDS_PAGE_SIZE, page_token=token)
            page = await call(
                self._records.list_conference_records,
                request,
                if_missing=MEET.refused,
                if_refused=_if_refused(token),
            )
            # Pages shift while conferences begin, so a conference may come twice.
            records.update((answer.name, _conference_record(answer)) for answer in page.conference_records)
            token = _next(page.next_page_token, after=token)
            if not token:
                break
        return Listing(began_at, tuple(sorted(records.values(), key=lambda record: (record.start_time, record.name))))

    def _as(self, organizer: Organizer, *, carefully: bool = False, expected: int = 1) -> ReadingCalls:
        credentials = self._credentials.of(organizer, Capability.MEETINGS)
        account = organizer.user or organizer.email or ""
        return self._calls.as_organizer(account, credentials, carefully=carefully, expected=expected)

    async def _record_and_space(
        self,
        conference_record: str,
        call: ReadingCalls,
        known: Space | None,
        on_record: Callable[[ConferenceRecord], None],
    ) -> tuple[ConferenceRecord, Space]:
        record = await self._record(conference_record, call)
        on_record(record)
        return record, await self._space(record.space, call, known)

    async def _record(self, conference_record: str, call: ReadingCalls) -> ConferenceRecord:
        request = meet_v2.GetConferenceRecordRequest(name=conference_record)
        return _conference_record(await call(self._records.get_conference_record, request))

    async def _space(self, name: str, call: ReadingCalls, known: Space | None) -> Space:
        """The room of a conference. Its code is not essential: attendance does not depend on it."""
        if known and known.name == name:
            return known
        try:
            request = meet_v2.GetSpaceRequest(name=name)
            answer = await call(self._spaces.get_space, request, attempts=SPACE_ATTEMPTS, if_missing=MEET.refused)
        except TokenNotAccepted:
            raise  # the credentials ended while the conference was read, which says nothing about the room
        except (Unavailable, AccessDenied, RequestRefused):
            return Space(name, meeting_code=None, meeting_uri=None)
        return Space(name, answer.meeting_code or None, answer.meeting_uri or None)

    async def _participants(
        self, conference_record: str, call: ReadingCalls, at_hand: AtHand, *, ended_at: datetime | None
    ) -> tuple[Participant, ...]:
        readings: dict[str, asyncio.Task[Participant]] = {}
        people: dict[str, Participant] = {}

        async def read(listed: Participant) -> Participant:
            participant = _with_sessions(listed, await self._sessions(listed.name, call))
            at_hand.keep(participant)
            return participant

        async with asyncio.TaskGroup() as tasks:
            async for page in self._listed(conference_record, call):
                # Pages shift while people join, so a participant may come twice.
                new = [_participant(message) for message in page if message.name not in readings.keys() | people.keys()]
                at_hand.on_page(new)
                for listed in new:
                    sessions = await at_hand.sessions_of(listed, ended_at=ended_at)
                    if sessions is None:
                        readings[listed.name] = tasks.create_task(read(listed))
                    else:
                        people[listed.name] = replace(listed, sessions=sessions)
        people |= {name: reading.result() for name, reading in readings.items()}
        return tuple(people[name] for name in sorted(people))

    async def _listed(self, parent: str, call: ReadingCalls, wanted: str = "") -> AsyncIterator[Sequence[Message]]:
        """The participants, or those that a filter wants, page by page.

        The client's own pager would not respect our rate limit.
        """
        token = ""
        while True:
            request = _ParticipantsRequest(parent=parent, filter=wanted, page_size=PAGE_SIZE, page_token=token)
            page = await call(self._participant_pages, request, if_refused=_if_refused(token))
            yield page.participants
            token = _next(page.next_page_token, after=token)
            if not token:
                return

    async def _sessions(self, participant: str, call: ReadingCalls) -> tuple[ParticipantSession, ...]:
        """All sessions of a participant."""
        sessions: dict[str, ParticipantSession] = {}
        token = ""
        while True:
            request = _SessionsRequest(parent=participant, page_size=PAGE_SIZE, page_token=token)
            # A participant who was listed a moment ago may be missing now, but only the record itself shows that
            # everything is deleted.
            page = await call(
                self._session_pages,
                request,
                if_missing=MEET.unavailable,
                if_hidden=MEET.unavailable,
                if_refused=_if_refused(token),
            )
            for session in page.participant_sessions:
                sessions[session.name] = ParticipantSession(
                    session.name, _start(session), _optional_time(session, "end_time")
                )
            token = _next(page.next_page_token, after=token)
            if not token:
                break
        return tuple(sorted(sessions.values(), key=lambda s: (s.start_time, s.name)))


def _records_filter(space: str | None, since: datetime, until: datetime | None) -> str:
    """The filter for conferenceRecords.list: the records of a space by their start, or all records by their end."""
    time = "end_time" if space is None else "start_time"
    conditions = [f'space.name = "{space}"'] if space is not None else []
    conditions.append(f'{time}>="{_rfc3339(since)}"')
    if until is not None:
        conditions.append(f'{time}<="{_rfc3339(until)}"')
    return " AND ".join(conditions)


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _next(token: str, *, after: str) -> str:
    """The token of the next page; raises an error if the same token comes again."""
    if token and token == after:
        raise MEET.unavailable("Meet keeps returning the same page.")
    return token


def _if_refused(page_token: str) -> Naming:
    """The error for a request that Meet calls invalid. For a following page it means that the token is no longer valid.

    A page token may expire: https://google.aip.dev/158#expiring-page-tokens. The next read begins with the first page.
    """
    return MEET.unavailable if page_token else MEET.refused


# Below we use the protobuf messages inside the client's wrappers: they distinguish an unset field from an empty one,
# which the wrappers' truth value does not, and are faster to read.


def _conference_record(answer: meet_v2.ConferenceRecord) -> ConferenceRecord:
    message = meet_v2.ConferenceRecord.pb(answer)
    return ConferenceRecord(
        name=message.name,
        space=message.space,
        start_time=_start(message),
        end_time=_optional_time(message, "end_time"),
        expire_time=_optional_time(message, "expire_time"),
    )


def _participant(message: Message) -> Participant:
    """A participant as the list shows it: without sessions."""
    return Participant(
        name=message.name,
        user=_user(message),
        earliest_start_time=_optional_time(message, "earliest_start_time"),
        latest_end_time=_optional_time(message, "latest_end_time"),
        sessions=(),
    )


def _with_sessions(listed: Participant, sessions: tuple[ParticipantSession, ...]) -> Participant:
    """A participant with all sessions. If the last of them ended after the list was read, the list lacks this end."""
    ends = [session.end_time for session in sessions if session.end_time]
    if listed.latest_end_time is None and ends and len(ends) == len(sessions):
        listed = replace(listed, latest_end_time=max(ends))
    return replace(listed, sessions=sessions)


def _user(participant: Message) -> User:
    kind = participant.WhichOneof("user")
    if kind == "signedin_user":
        user = participant.signedin_user
        return SignedInUser(user.user, clean_display_name(user.display_name))
    if kind == "phone_user":
        return PhoneUser(clean_display_name(participant.phone_user.display_name))
    # If Google adds another kind later, we cannot identify the person either.
    return AnonymousUser(clean_display_name(participant.anonymous_user.display_name))


def _start(message: Message) -> datetime:
    """When something began.

    Meet sets this time for everything that it lists, so an answer without it cannot be right.
    """
    if not message.HasField("start_time"):
        raise MEET.unavailable("Meet returned a conference record or a participant session without a start time.")
    return _time(message.start_time)


def _optional_time(message: Message, name: str) -> datetime | None:
    return _time(getattr(message, name)) if message.HasField(name) else None


def _time(timestamp: Timestamp) -> datetime:
    """An aware UTC time, cut to whole microseconds."""
    return _EPOCH + timedelta(seconds=timestamp.seconds, microseconds=timestamp.nanos // 1000)


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """The first error of a reading. If something else failed at the same moment, the next reading reports it."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error
