"""Which data of a conference need not be read again, and when an unfinished read is tried again.

A call to Meet returns the sessions of one participant, so a second read of a whole class would cost as much as the
first. Between two reads Meet's data only grows: sessions begin, and their ends become known. The list shows each
participant's first start and last end. These show whether something was added, if three things are true about what was
read before:

- It agrees with the list: the first start and the last end are those of the sessions. If not, the list of sessions was
  not up to date.
- Every session had its end. A participant who is still there shows no last end, and is always asked for.
- Nothing can be missing from it. A session that began after that read also ends after it, so the last end changes. A
  session that began before it, on a second device and within the time of the first, changes neither: so it must have
  been in the list. Meet may list a new session a moment late, so the read must have begun after the end of the
  conference, or `LAG` after the last end that it shows.

The sessions of all other participants are read again, and a full read reads all. Google does not say that the times in
the two lists are the same to the microsecond; if they are not, everybody's sessions are read again, which only costs
calls.
https://developers.google.com/workspace/meet/api/reference/rest/v2/conferenceRecords.participants
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from functions.domain.backoff import wait_after
from functions.domain.conferences.model import (
    Conference,
    Interruption,
    Organizer,
    Participant,
    ParticipantSession,
    SessionsSource,
    Space,
    SyncSource,
    SyncState,
)
from functions.domain.conferences.seen import SeenSession, session_from_events

LAG = timedelta(minutes=5)
"""How late Meet may list a session that has begun, and how far its clock may differ from ours."""

FIRST_WAIT = timedelta(minutes=1)
"""How long to wait after a read that did not finish: twice as long each time."""


@dataclass(frozen=True, slots=True)
class Known:
    """What earlier reads of a conference showed.

    Attributes:
        participants: Participants by name, each with the time at which the read of their sessions began.
        ended_at: When the conference ended, as far as was known then.
        interrupted: Whether Meet failed in the last read, so that the next one begins carefully.
        sessions_source: Where the sessions are known from.
        space: Its room with its meeting code, which stays that of the conference; None if the code is not known.
    """

    participants: Mapping[str, tuple[Participant, datetime]] = field(default_factory=dict)
    ended_at: datetime | None = None
    interrupted: bool = False
    sessions_source: SessionsSource = SessionsSource.MEET
    space: Space | None = None

    def sessions_of(self, listed: Participant, *, ended_at: datetime | None) -> tuple[ParticipantSession, ...] | None:
        """The known sessions of a participant, if reading them again cannot change them; otherwise None.

        Args:
            listed: The participant as the list shows it now, without sessions.
            ended_at: When the conference ended; None if it goes on or the end is not known.
        """
        if listed.name not in self.participants:
            return None
        known, read_at = self.participants[listed.name]
        shown = (listed.earliest_start_time, listed.latest_end_time)
        ends = [session.end_time for session in known.sessions if session.end_time]
        if not ends or len(ends) != len(known.sessions):
            return None
        if shown != (min(session.start_time for session in known.sessions), max(ends)):
            return None
        nothing_is_missing = (ended_at is not None and ended_at <= read_at) or max(ends) + LAG <= read_at
        return known.sessions if nothing_is_missing else None

    def names_of(self, participant: str) -> frozenset[str]:
        """The names of all known sessions of a participant, complete or not."""
        known, _ = self.participants.get(participant, (None, None))
        return frozenset(session.name for session in known.sessions) if known else frozenset()


NOTHING_KNOWN = Known()
"""For a full read."""


@dataclass(frozen=True, slots=True)
class KnownSessions:
    """The sessions of a participant for whom Meet need not be asked, and where they are known from."""

    sessions: tuple[ParticipantSession, ...]
    source: SessionsSource


def sessions_without_call(
    listed: Participant, known: Known, seen: Mapping[str, SeenSession], *, ended_at: datetime | None
) -> KnownSessions | None:
    """The sessions of a participant, if earlier reads or events show them; None if Meet must be asked.

    If events name a session that an earlier read does not have, Meet is asked.

    Args:
        listed: The participant as the list shows it now, without sessions.
        known: What earlier reads showed.
        seen: The participant's sessions that events named.
        ended_at: When the conference ended; None if it goes on or the end is not known.
    """
    sessions = known.sessions_of(listed, ended_at=ended_at)
    if sessions is not None and seen.keys() <= {session.name for session in sessions}:
        return KnownSessions(sessions, known.sessions_source)
    if known.names_of(listed.name) - seen.keys():
        return None  # Meet showed a session of which no event came
    session = session_from_events(listed, seen)
    return KnownSessions((session,), SessionsSource.EVENTS) if session else None


def known_of(stored: Conference | None) -> Known:
    """What is known about a conference that will be read again."""
    if stored is None:
        return NOTHING_KNOWN
    known: dict[str, tuple[Participant, datetime]] = {}
    snapshot, interruption = stored.snapshot, stored.interruption
    if snapshot and stored.sync.pulled_at:
        known = {participant.name: (participant, stored.sync.pulled_at) for participant in snapshot.participants}
    if interruption:
        known |= {participant.name: (participant, read_at) for participant, read_at in interruption.participants}
    failed = interruption is not None and interruption.failures > 0
    return Known(
        known,
        snapshot.record.end_time if snapshot else None,
        interrupted=failed,
        sessions_source=stored.sync.sessions_source,
        space=snapshot.space if snapshot and snapshot.space.meeting_code else None,
    )


def is_deferred(stored: Conference | None, *, now: datetime) -> bool:
    """Whether a conference must wait before its next read, because reads of it failed."""
    return stored is not None and stored.interruption is not None and now < stored.interruption.again_at


def after_interruption(
    stored: Conference | None,
    participants: Iterable[Participant],
    *,
    began_at: datetime,
    conference_record: str,
    organizer: Organizer,
    ended_event_at: datetime | None,
    source: SyncSource,
    failed: bool = True,
) -> Conference | None:
    """The conference after an unfinished read; None if there is nothing to remember.

    What was read before, and how much has been read, do not change.

    Args:
        stored: What is stored now, if anything.
        participants: The participants whose sessions were read to the last page.
        began_at: When that read began.
        conference_record: `conferenceRecords/{id}`.
        organizer: The person whose account read it.
        ended_event_at: When an event said that the conference ended, if one did.
        source: What started the read.
        failed: Whether Meet failed. If not, because its quota was used up, the next read need not wait.
    """
    before = stored.interruption if stored else None
    if stored and (
        stored.sync.state is SyncState.COMPLETE
        or (stored.sync.pulled_at and stored.sync.pulled_at >= began_at)
        or (before and before.began_at >= began_at)
    ):
        return None
    failures = (before.failures if before else 0) + (1 if failed else 0)
    known = {
        participant.name: (participant, read_at) for participant, read_at in (before.participants if before else ())
    }
    known |= {participant.name: (participant, began_at) for participant in participants}
    interruption = Interruption(
        began_at=began_at,
        failures=failures,
        again_at=began_at + (wait_after(failures, first=FIRST_WAIT) if failed else timedelta(0)),
        participants=tuple(known[name] for name in sorted(known)),
    )
    conference = stored or Conference.unread(
        conference_record, organizer=organizer, source=source, ended_event_at=ended_event_at
    )
    return replace(conference, interruption=interruption)
