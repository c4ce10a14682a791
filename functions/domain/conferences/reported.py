"""Conferences from Google's reports, which have one row for each endpoint, that is for each join of a device.

Reports are a second source, for calls that Meet does not show: https://support.google.com/a/answer/7061566 warns that
rows may come late and in rare cases never. Their data is only added, so a conference is the same even if its rows come
in another order or several times.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from functions.domain.conferences.model import (
    REPORTED,
    Conference,
    ConferenceRecord,
    DeviceUser,
    EmailUser,
    Organizer,
    Participant,
    ParticipantSession,
    Snapshot,
    Space,
    SyncSource,
    SyncState,
    User,
)
from functions.domain.intervals import Interval

REACH = timedelta(days=180)
"""How far back reports go: https://support.google.com/a/answer/7061566."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The time of one device in a call, from joining to leaving: one row of a report.

    Attributes:
        conference_id: The reports' own id of the call; Meet does not know it.
        meeting_code: As `abc-mnop-xyz`.
        endpoint_id: The id of the join; each join has another one.
        user: The person; for a phone or an unknown person only a display name.
        device_id: For Meet hardware: which device.
        left_at: When it left.
        duration: How long it had been there, in whole seconds.
        organizer_email: The organizer's address, lower case.
    """

    conference_id: str
    meeting_code: str
    endpoint_id: str
    user: User
    left_at: datetime
    duration: timedelta
    device_id: str | None = None
    organizer_email: str | None = None

    @property
    def conference_record(self) -> str:
        """The name that we give to the call; an id that no document could have is hashed."""
        safe = self.conference_id if _ID.fullmatch(self.conference_id) else _digest(self.conference_id, length=40)
        return REPORTED + safe

    @property
    def time(self) -> Interval:
        """From joining to leaving."""
        return Interval(self.left_at - self.duration, self.left_at)


@dataclass(frozen=True, slots=True)
class ReportedConference:
    """A call as far as reports show it; participants are ordered by name."""

    conference_record: str
    meeting_code: str
    organizer_email: str | None
    participants: tuple[Participant, ...]

    @property
    def time(self) -> Interval:
        """From the first join to the last leave."""
        return _time_of(self.participants)


def conferences_of(endpoints: Iterable[Endpoint]) -> tuple[ReportedConference, ...]:
    """The calls in some rows, the earliest first; a repeated row counts once.

    A person named by address is one participant, and so is Meet hardware. Each join by phone or by an unknown person is
    a separate participant, because nothing shows that two of them are the same person.
    """
    by_record: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        by_record.setdefault(endpoint.conference_record, []).append(endpoint)
    found = [_conference(record, rows) for record, rows in by_record.items()]
    return tuple(sorted(found, key=lambda one: (one.time, one.conference_record)))


def after_report(
    stored: Conference | None, reported: ReportedConference, *, space: Space, pulled_at: datetime
) -> Conference:
    """The conference after reading reports: what was known, plus what reports add.

    Args:
        stored: The stored conference, if there is one.
        reported: What the reports say.
        space: The room of the meeting code.
        pulled_at: When the reading of the reports began.
    """
    conference = stored or Conference.unread(
        reported.conference_record, organizer=Organizer(), source=SyncSource.REPORTS
    )
    before, sync, organizer = conference.snapshot, conference.sync, conference.organizer
    participants = _merged([*(before.participants if before else ()), *reported.participants])
    time, room = _time_of(participants), before.space if before else space
    record = ConferenceRecord(reported.conference_record, room.name, time.start, time.end, expire_time=None)
    return replace(
        conference,
        organizer=Organizer(organizer.user, organizer.email or reported.organizer_email),
        snapshot=Snapshot(record, room, participants),
        sync=replace(
            sync,
            # Everything in the reports was read; the conference's name shows that more may come.
            state=SyncState.COMPLETE,
            pulled_at=max(pulled_at, sync.pulled_at or pulled_at),
            first_pulled_at=min(pulled_at, sync.first_pulled_at or pulled_at),
            attempts=sync.attempts + 1,
        ),
    )


def addresses(conferences: Iterable[ReportedConference]) -> Mapping[str, str]:
    """The address in reports of each account, `users/{id}`; accounts with two addresses are left out."""
    found: dict[str, set[str]] = {}
    for conference in conferences:
        for participant in conference.participants:
            user = participant.user
            if isinstance(user, EmailUser) and user.user:
                found.setdefault(user.user, set()).add(user.email)
    return {user: emails.pop() for user, emails in sorted(found.items()) if len(emails) == 1}


def _conference(record: str, rows: Sequence[Endpoint]) -> ReportedConference:
    code = min(row.meeting_code for row in rows)  # one call has one code; a row with another code cannot be used
    own = [row for row in rows if row.meeting_code == code]
    organizers = sorted({row.organizer_email for row in own if row.organizer_email})
    return ReportedConference(
        record, code, organizers[0] if organizers else None, _merged(_participant(record, row) for row in own)
    )


def _participant(record: str, row: Endpoint) -> Participant:
    """A participant made from a single row. Resource names contain no name and no address, in any form."""
    endpoint = _digest(row.endpoint_id)
    match row.user:
        case EmailUser(email=email):
            name = f"{record}/participants/{_digest(record, email)}"
        case DeviceUser() if row.device_id:
            name = f"{record}/participants/{_digest(record, row.device_id)}"
        case _:
            name = f"{record}/participants/{endpoint}"
    start, end = row.time.start, row.time.end
    return Participant(
        name, row.user, start, end, (ParticipantSession(f"{name}/participantSessions/{endpoint}", start, end),)
    )


def _merged(participants: Iterable[Participant]) -> tuple[Participant, ...]:
    """Each participant once, with all their sessions; ordered by name."""
    by_name: dict[str, list[Participant]] = {}
    for participant in participants:
        by_name.setdefault(participant.name, []).append(participant)
    return tuple(_one(name, by_name[name]) for name in sorted(by_name))


def _one(name: str, parts: Sequence[Participant]) -> Participant:
    sessions: dict[str, ParticipantSession] = {}
    for session in (session for part in parts for session in part.sessions):
        known = sessions.get(session.name)
        # A row never changes. Even if it did, nobody's time would become shorter.
        if known is None or _length(known) < _length(session):
            sessions[session.name] = session
    ordered = tuple(sorted(sessions.values(), key=lambda session: (session.start_time, session.name)))
    ends = [session.end_time for session in ordered if session.end_time]
    return Participant(name, _user(parts), ordered[0].start_time, max(ends), ordered)


def _user(parts: Sequence[Participant]) -> User:
    """The person of a participant: with any of the names, and with the account if all rows agree on it."""
    user = max((part.user for part in parts), key=lambda user: (user.display_name, type(user).__name__))
    if not isinstance(user, EmailUser):
        return user
    users = {part.user.user for part in parts if isinstance(part.user, EmailUser) and part.user.user}
    return replace(user, user=users.pop() if len(users) == 1 else None)


def _length(session: ParticipantSession) -> tuple[timedelta, datetime]:
    end = session.end_time or session.start_time
    return end - session.start_time, end


def _time_of(participants: Sequence[Participant]) -> Interval:
    sessions = [session for participant in participants for session in participant.sessions]
    return Interval(
        min(session.start_time for session in sessions),
        max(session.end_time or session.start_time for session in sessions),
    )


def _digest(*parts: str, length: int = 20) -> str:
    return hashlib.sha256("/".join(parts).encode(errors="surrogatepass")).hexdigest()[:length]
