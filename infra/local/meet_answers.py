"""Meet's answers: functions from a request to a message, as documented, without input or output.

https://developers.google.com/workspace/meet/api/reference/rpc
"""

import random
import re
import string
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import grpc
from google.apps.meet_v2 import types

from infra.local import filters
from infra.local.faults import Refusal, Request
from infra.local.school import RETENTION, Attendee, Conference, School, Space, Visit

Message = Any  # protobuf makes its classes at run time, so the type checker does not know them
Row = TypeVar("Row")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID = "[^/]+"  # the names that the discovery document allows: `^conferenceRecords/[^/]+$`
_RECORD_NAME = re.compile(f"(?P<record>conferenceRecords/{_ID})")
_PARTICIPANT_NAME = re.compile(f"{_RECORD_NAME.pattern}/participants/(?P<participant>{_ID})")
_SESSION_NAME = re.compile(f"{_PARTICIPANT_NAME.pattern}/participantSessions/{_ID}")

_RECORDS_PAGE = filters.PageSize(default=25, maximum=100)
_CHILDREN_PAGE = filters.PageSize(default=100, maximum=250)

# The client's proto-plus classes are many times slower than the protobuf classes they wrap.
_Record = types.ConferenceRecord.pb()
_Participant = types.Participant.pb()
_Session = types.ParticipantSession.pb()
_Space = types.Space.pb()
_Records = types.ListConferenceRecordsResponse.pb()
_Participants = types.ListParticipantsResponse.pb()
_Sessions = types.ListParticipantSessionsResponse.pb()


class Malformed(Refusal):
    """A request that Google's clients never send: INVALID_ARGUMENT, with a message that names the field."""

    def __init__(self, message: str) -> None:
        super().__init__(grpc.StatusCode.INVALID_ARGUMENT, message)


class Asked(NamedTuple):
    """The data that every method needs in addition to the request.

    `made_alone`: the token only shows rooms that this application made. `mask`: the requested fields.
    """

    request: Request
    offset: int
    now: datetime
    made_alone: bool = False
    mask: list[str] | None = None


class Meet:
    """One method for each method of the API; a Refusal is Meet's error."""

    def __init__(self, school: School, *, page_size_cap: int | None, empty_pages: bool, check_access: bool) -> None:
        self.school = school
        self.hides_missing = True
        self.made: set[str] = set()
        """The rooms that were made here, which belong to the application."""
        self._empty_pages = empty_pages
        self.tokens = filters.PageTokens()
        self._page_size_cap = page_size_cap
        self._check_access = check_access

    def list_conference_records(self, request: Message, asked: Asked) -> Message:
        """Return the records of the caller's conferences, newest first."""
        chosen = filters.parse(request.filter, filters.CONFERENCE_RECORDS)
        organizer = asked.request.acting_as and self.school.user(asked.request.acting_as)
        conferences = [
            conference
            for conference in self.school.conferences()
            # "The result is filtered to the conference organizer":
            # https://developers.google.com/workspace/meet/api/guides/conferences
            if (asked.request.acting_as is None or conference.organizer == organizer)
            and not (asked.made_alone and conference.space not in self.made)
            and chosen.passes(
                {
                    "space.name": conference.space,
                    "space.meeting_code": conference.meeting_code,
                    "start_time": conference.start,
                    "end_time": conference.shown_end(asked.now),
                }
            )
        ]
        page, token = self._page(conferences, _RECORDS_PAGE, request, asked)
        return _Records(
            conference_records=[_record(conference, asked.now) for conference in page], next_page_token=token
        )

    def list_participants(self, request: Message, asked: Asked) -> Message:
        """Return the participants of one conference, newest first."""
        chosen = filters.parse(request.filter, filters.PARTICIPANTS)
        conference = self._conference(request.parent, _RECORD_NAME, asked)
        attendees = [
            attendee
            for attendee in conference.shown_attendees(asked.now)
            if not chosen
            or chosen.passes(
                {
                    "earliest_start_time": attendee.earliest_start(asked.now),
                    "latest_end_time": attendee.latest_end(asked.now),
                }
            )
        ]
        page, token = self._page(attendees, _CHILDREN_PAGE, request, asked)
        return _Participants(
            participants=[_participant(conference, attendee, asked.now) for attendee in page],
            next_page_token=token,
            # "By default, the total size is not included in the response"; a field mask can request it.
            total_size=len(attendees) if {"*", "total_size"} & set(asked.mask or ()) else 0,
        )

    def list_participant_sessions(self, request: Message, asked: Asked) -> Message:
        """Return the sessions of one participant, newest first."""
        chosen = filters.parse(request.filter, filters.PARTICIPANT_SESSIONS)
        attendee = self._attendee(request.parent, _PARTICIPANT_NAME, asked)
        sessions = [
            (session, visit)
            for session, visit in attendee.shown_sessions(asked.now)
            if chosen.passes({"start_time": visit.start, "end_time": visit.shown_end(asked.now)})
        ]
        page, token = self._page(sessions, _CHILDREN_PAGE, request, asked)
        return _Sessions(
            participant_sessions=[
                _session(f"{request.parent}/participantSessions/{session}", visit, asked.now) for session, visit in page
            ],
            next_page_token=token,
        )

    def get_conference_record(self, request: Message, asked: Asked) -> Message:
        """One conference record."""
        return _record(self._conference(request.name, _RECORD_NAME, asked), asked.now)

    def create_space(self, request: Message, asked: Asked) -> Message:
        """Create a room that belongs to the caller."""
        if sent := [field.name for field, _ in request.space.ListFields() if field.name != "config"]:
            raise Malformed(f"Invalid value at 'space.{sent[0]}': Google sets it itself (output only).")
        owner = asked.request.acting_as and self.school.user(asked.request.acting_as)
        letters = "".join(random.choices(string.ascii_lowercase, k=10))
        code = f"{letters[:3]}-{letters[3:7]}-{letters[7:]}"
        space = Space(f"spaces/{''.join(random.choices(string.ascii_letters, k=12))}", code, owner)
        self.school.open(space)
        self.made.add(space.name)
        return _space(space, None)

    def get_participant(self, request: Message, asked: Asked) -> Message:
        """One participant."""
        conference = self._conference(request.name, _PARTICIPANT_NAME, asked)
        return _participant(conference, self._attendee(request.name, _PARTICIPANT_NAME, asked), asked.now)

    def get_participant_session(self, request: Message, asked: Asked) -> Message:
        """One participant session."""
        attendee = self._attendee(request.name, _SESSION_NAME, asked)
        wanted = request.name.rpartition("/")[2]
        for session, visit in attendee.shown_sessions(asked.now):
            if session == wanted:
                return _session(request.name, visit, asked.now)
        raise _not_found(request.name)

    def get_space(self, request: Message, asked: Asked) -> Message:
        """Return one space, by its name or by its meeting code."""
        space = self.school.space(request.name)
        if space is None:
            raise self._missing(request.name, "Space")
        if asked.made_alone and space.name not in self.made:
            raise _not_shown("Space")
        active = self.school.active_conference(space.name)
        return _space(space, active)

    def _conference(self, name: str, pattern: re.Pattern[str], asked: Asked) -> Conference:
        """Return the conference that a resource name begins with, if this caller may read it."""
        record = _parse(name, pattern)["record"]
        conference = self.school.conference(record)
        if conference is None:
            raise self._missing(record, "Conference")
        caller = asked.request.acting_as
        # https://developers.google.com/workspace/meet/api/guides/participants: owners and participants.
        if self._check_access and caller and not conference.admits(self.school.user(caller), asked.now):
            raise _not_shown("Conference")
        if asked.made_alone and conference.space not in self.made:
            raise _not_shown("Conference")
        return conference

    def _missing(self, name: str, kind: str) -> Refusal:
        """Return the error for a missing resource: Meet was observed to answer as for a hidden one."""
        return _not_shown(kind) if self.hides_missing else _not_found(name)

    def _attendee(self, name: str, pattern: re.Pattern[str], asked: Asked) -> Attendee:
        """Return the participant in a resource name, if Meet lists them yet."""
        conference = self._conference(name, pattern, asked)
        attendee = conference.attendees_by_id.get(_parse(name, pattern)["participant"])
        if attendee is None or attendee.earliest_start(asked.now) is None:
            raise _not_found(name)
        return attendee

    def _page(
        self, rows: Sequence[Row], size: filters.PageSize, request: Message, asked: Asked
    ) -> tuple[Sequence[Row], str]:
        """Return one page of the rows and the token of the next page, which is empty after the last."""
        if self._empty_pages and asked.request.page % 2 == 0:
            return [], self.tokens.issue(listing(asked.request), asked.request.page + 1, asked.offset)
        end = asked.offset + size.granted(request.page_size, self._page_size_cap)
        more = end < len(rows)
        token = self.tokens.issue(listing(asked.request), asked.request.page + 1, end) if more else ""
        return rows[asked.offset : end], token


def listing(request: Request) -> str:
    """Return the name of the list for which a page token is valid."""
    return f"{request.method} {request.resource} {request.filter}"


def _parse(name: str, pattern: re.Pattern[str]) -> re.Match[str]:
    parsed = pattern.fullmatch(name)
    assert parsed is not None, "the gate has looked at it"  # noqa: S101 - see infra.local.meet.RULES
    return parsed


def _not_found(name: str) -> Refusal:
    return Refusal(grpc.StatusCode.NOT_FOUND, f"{name} was not found")


def _not_shown(kind: str) -> Refusal:
    """Return an error that does not show whether a hidden resource exists: https://google.aip.dev/211 ."""
    return Refusal(grpc.StatusCode.PERMISSION_DENIED, f"Permission denied on resource {kind} (or it might not exist)")


def _set(timestamp: Message, moment: datetime | None) -> None:
    """Write a time; None leaves the field unset, as Meet does while there is no end."""
    if moment is not None:
        since = moment - _EPOCH
        timestamp.seconds = since.days * 86_400 + since.seconds
        timestamp.nanos = since.microseconds * 1_000


def _record(conference: Conference, now: datetime) -> Message:
    message = _Record(name=conference.name, space=conference.space)
    end = conference.shown_end(now)
    _set(message.start_time, conference.start)
    _set(message.end_time, end)
    _set(message.expire_time, end and end + RETENTION)
    return message


def _participant(conference: Conference, attendee: Attendee, now: datetime) -> Message:
    message = _Participant(name=f"{conference.name}/participants/{attendee.id}")
    # An empty name is a name: the oneof is still set.
    match attendee.kind:
        case "signed_in":
            message.signedin_user.SetInParent()
            message.signedin_user.user = attendee.user or ""
            message.signedin_user.display_name = attendee.display_name
        case "anonymous":
            message.anonymous_user.SetInParent()
            message.anonymous_user.display_name = attendee.display_name
        case "phone":
            message.phone_user.SetInParent()
            message.phone_user.display_name = attendee.display_name
    _set(message.earliest_start_time, attendee.earliest_start(now))
    _set(message.latest_end_time, attendee.latest_end(now))
    return message


def _session(name: str, visit: Visit, now: datetime) -> Message:
    message = _Session(name=name)
    _set(message.start_time, visit.start)
    _set(message.end_time, visit.shown_end(now))
    return message


def _space(space: Space, active: Conference | None) -> Message:
    message = _Space(name=space.name, meeting_code=space.meeting_code)
    message.meeting_uri = f"https://meet.google.com/{space.meeting_code}"
    if active is not None:
        message.active_conference.conference_record = active.name
    return message
