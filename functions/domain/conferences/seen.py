"""What joined and left events said about a conference, and which calls to Meet this replaces.

A call to Meet returns the sessions of one participant. The list of participants already has everybody's first start and
last end, so the sessions of a person who had exactly one are known from the list. Only the list does not say how many
they had. Events do: each names a participant session. An event has no times of its own except `ce-time`, so every time
that is stored comes from Meet's list, and events only decide which people the call is made for.

Events may be lost, come twice, late or in any order, and their times may be wrong. What they said is a set, so order
and repetition make no difference. In doubt, Meet is asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from functions.domain.conferences.model import Conference, Participant, ParticipantSession, Snapshot, SyncState
from functions.domain.intervals import Interval, union

AGREES = timedelta(seconds=60)
"""By how much the time of an event may differ from the time that Meet lists."""

FEW_CALLS = 5
"""Left events are not waited for if they would save no more calls than these."""

JUST_ENDED = timedelta(seconds=10)
"""Left events are waited for if the conference ended no longer ago than this."""


@dataclass(frozen=True, slots=True)
class SeenSession:
    """What events said about one participant session.

    Attributes:
        joined: The times of the events that somebody joined; None for an event without a time.
        left: The same for leaving.
    """

    joined: frozenset[datetime | None] = frozenset()
    left: frozenset[datetime | None] = frozenset()

    def merged(self, other: SeenSession) -> SeenSession:
        """What both said together."""
        return SeenSession(self.joined | other.joined, self.left | other.left)

    def agrees(self, start: datetime, end: datetime) -> bool:
        """Whether both events came, and all their times are those of a session from `start` to `end`."""
        return _are_near(self.joined, start) and _are_near(self.left, end)


@dataclass(frozen=True)
class SeenSessions:
    """What events said about one conference, by the resource name of the participant session."""

    sessions: Mapping[str, SeenSession] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether any event came."""
        return bool(self.sessions)

    @property
    def names(self) -> frozenset[str]:
        """Every participant session that an event named."""
        return frozenset(self.sessions)

    def merged(self, other: SeenSessions) -> SeenSessions:
        """What both said together; the same in any order, and however often."""
        both = dict(self.sessions)
        for name, session in other.sessions.items():
            both[name] = both[name].merged(session) if name in both else session
        return SeenSessions(both)

    def by_participant(self) -> Mapping[str, Mapping[str, SeenSession]]:
        """The sessions of each participant."""
        found: dict[str, dict[str, SeenSession]] = {}
        for name, session in self.sessions.items():
            found.setdefault(participant_of(name), {})[name] = session
        return found


NOTHING_SEEN = SeenSessions()
"""No event came."""


def joined(session: str, at: datetime | None) -> SeenSessions:
    """What an event says that reports a join."""
    return SeenSessions({session: SeenSession(joined=frozenset({at}))})


def left(session: str, at: datetime | None) -> SeenSessions:
    """What an event says that reports a leave."""
    return SeenSessions({session: SeenSession(left=frozenset({at}))})


def record_of(session: str) -> str:
    """The conference record of a participant session, both as resource names."""
    return session.partition("/participants/")[0]


def participant_of(session: str) -> str:
    """The participant of a participant session, both as resource names; a participant is its own."""
    return session.partition("/participantSessions/")[0]


def session_from_events(listed: Participant, seen: Mapping[str, SeenSession]) -> ParticipantSession | None:
    """The only session of a participant, if events show that there was one; None if Meet must be asked.

    Args:
        listed: The participant as Meet's list shows it.
        seen: The participant's sessions that events named.
    """
    start, end = listed.earliest_start_time, listed.latest_end_time
    if len(seen) != 1 or start is None or end is None or end < start:
        return None
    (name, session), *_ = seen.items()
    return ParticipantSession(name, start, end) if session.agrees(start, end) else None


def needs_call(listed: Participant, seen: Mapping[str, SeenSession]) -> bool:
    """Whether Meet must be asked for the sessions of a participant."""
    return session_from_events(listed, seen) is None


def unanswered(conference: Conference, seen: SeenSessions, *, now: datetime) -> frozenset[str]:
    """The participant sessions that events name and a finished conference lacks, if Meet was not asked since then.

    Empty if events named the same sessions when it was read: then Meet did not confirm them. Also empty if Meet has
    deleted the conference.
    """
    snapshot, sync = conference.snapshot, conference.sync
    if snapshot is None or sync.state is not SyncState.COMPLETE or digest(seen.names) == sync.seen_digest:
        return frozenset()
    if snapshot.record.expire_time and snapshot.record.expire_time <= now:
        return frozenset()
    return seen.names - {session.name for person in snapshot.participants for session in person.sessions}


def differing_people(one: Snapshot, other: Snapshot) -> frozenset[str]:
    """The participants of both snapshots who were there at different times."""
    times = {person.name: _times(person) for person in one.participants}
    return frozenset(
        person.name for person in other.participants if person.name in times and times[person.name] != _times(person)
    )


def _times(person: Participant) -> tuple[Sequence[Interval], frozenset[datetime]]:
    """When somebody was there, in any number of sessions, and since when a session is open."""
    closed = (Interval(one.start_time, one.end_time) for one in person.sessions if one.end_time)
    return union(closed), frozenset(one.start_time for one in person.sessions if one.end_time is None)


def is_worth_waiting(seen: SeenSessions) -> bool:
    """Whether left events that are still on the way would save more than a few calls."""
    missing = 0
    for sessions in seen.by_participant().values():
        (session, *further) = sessions.values()
        missing += not further and not session.left
    return missing > FEW_CALLS


def digest(names: Iterable[str]) -> str | None:
    """A short hash of a set of participant sessions; None if it is empty.

    It shows whether events named others since then, and says nothing about which.
    """
    ordered = sorted(set(names))
    return hashlib.sha256("\n".join(ordered).encode()).hexdigest()[:16] if ordered else None


def _are_near(moments: frozenset[datetime | None], listed: datetime) -> bool:
    return bool(moments) and all(moment is not None and abs(moment - listed) <= AGREES for moment in moments)
