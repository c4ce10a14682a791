"""How much of a conference has been read: what to read again, what a read changes, and when the data is final.

Meet may answer before its data is complete: with a participant session without its end, a conference without its end,
or nobody in it. Such a read is provisional. It is repeated until the data is complete, or until the settling time has
passed since the end. If a call has no end, no event reported its end, and somebody is still in it, then it goes on: its
data is not final before Meet must have ended the call. All decisions use the times of facts, never the order in which
messages arrive.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from functions.domain.backoff import wait_after
from functions.domain.conferences.model import (
    Conference,
    Organizer,
    Reading,
    Snapshot,
    Sync,
    SyncError,
    SyncSource,
    SyncState,
)
from functions.domain.conferences.seen import digest
from functions.domain.errors import DocumentsRefused

LONGEST_CALL = timedelta(hours=24)
"""Meet ends every call after a day: https://support.google.com/meet/answer/7317473."""

CLOCK_SKEW = timedelta(minutes=5)
"""By how much the clock of an event's sender may be ahead of ours."""

FRESH = timedelta(minutes=10)
"""How long after an event Meet may not yet know the conference record that the event names.

Google does not document it.
"""


def may_appear(occurred_at: datetime | None, *, now: datetime) -> bool:
    """Whether Meet may later show a conference record that it does not know yet, because the event about it is new."""
    return occurred_at is not None and now - FRESH < occurred_at <= now + CLOCK_SKEW


def is_missing(stored: Conference | None, *, ended_event_at: datetime | None, now: datetime) -> bool:
    """Whether a record that Meet does not show is treated as one that does not exist.

    Meet does not say which it is. Soon after the event the record may not exist yet, and after 30 days it is deleted.
    """
    expires_at = stored.snapshot.record.expire_time if stored and stored.snapshot else None
    return may_appear(ended_event_at, now=now) or (expires_at is not None and now >= expires_at)


def needs_reading(stored: Conference | None, *, asked_at: datetime, ended_event_at: datetime | None) -> bool:
    """Whether this event is a reason to ask Meet.

    It is not a reason if the last read began after the message arrived (the same message twice at once), or if the
    conference was completely read after it ended (the same event again).
    """
    if stored is None:
        return True
    tried_at = _last_tried(stored.sync)
    if tried_at and tried_at >= asked_at:
        return False
    if stored.sync.pulled_at is None or stored.sync.state is SyncState.FAILED:
        return True
    return not (
        stored.sync.state is SyncState.COMPLETE
        and ended_event_at is not None
        and stored.sync.pulled_at >= ended_event_at
    )


def after_reading(
    stored: Conference | None,
    reading: Reading,
    *,
    organizer: Organizer,
    ended_event_at: datetime | None,
    source: SyncSource,
    settle: timedelta,
) -> Conference:
    """The conference after a successful read.

    A read that is older than the stored one changes only facts such as the end.

    Args:
        stored: What is stored now, if anything.
        reading: What Meet said.
        organizer: The person whose account read it.
        ended_event_at: When an event said that the conference ended, if one did.
        source: What started the read.
        settle: How long after its end a conference may still change.
    """
    conference = stored or Conference.unread(reading.snapshot.record.name, organizer=organizer, source=source)
    before = conference.sync
    asked_at = max(reading.pulled_at, _last_tried(before) or reading.pulled_at)
    ended_event_at = _earliest(
        *(
            moment
            for moment in (before.ended_event_at, ended_event_at)
            # This conference cannot have ended at any other time.
            if moment and reading.snapshot.record.start_time <= moment <= asked_at + CLOCK_SKEW
        )
    )
    first_pulled_at = _earliest(before.first_pulled_at, reading.pulled_at)
    if conference.snapshot and before.pulled_at and before.pulled_at >= reading.pulled_at:
        snapshot, pulled_at, sync = conference.snapshot, before.pulled_at, before
    else:
        snapshot, pulled_at = _with_known_code(reading.snapshot, stored), reading.pulled_at
        sync = replace(
            before,
            source=source,
            pulled_at=pulled_at,
            attempts=before.attempts + 1,
            meet_calls=reading.meet_calls,
            sessions_source=reading.sessions_source,
            seen_digest=digest(reading.seen),
        )
    error = before.error if before.error and before.error.at > pulled_at else None
    state = _state(
        snapshot,
        pulled_at=pulled_at,
        ended_at=snapshot.record.end_time
        or ended_event_at
        or _ended_at_the_latest(snapshot, first_pulled_at or pulled_at),
        settle=settle,
    )
    if error and state is SyncState.PROVISIONAL:
        state = SyncState.FAILED
    interruption = conference.interruption
    return replace(
        conference,
        organizer=_known(organizer, conference),
        snapshot=snapshot,
        interruption=interruption if interruption and interruption.began_at > pulled_at else None,
        sync=replace(
            sync,
            state=state,
            first_pulled_at=first_pulled_at,
            ended_event_at=ended_event_at,
            error=None if state is SyncState.COMPLETE else error,
        ),
    )


def after_failure(
    stored: Conference | None,
    error: SyncError,
    *,
    conference_record: str,
    organizer: Organizer,
    ended_event_at: datetime | None,
    source: SyncSource,
    settle: timedelta,
) -> Conference:
    """The conference after a read that failed for a reason that only a person can fix.

    What was read before is kept, a complete read stays complete, and a successful read that began later wins. The end
    of the conference is a fact that does not depend on the read: it may make earlier data complete.
    """
    if stored:
        stored = _with_end(stored, ended_event_at, organizer=organizer, source=source, settle=settle)
    conference = stored or Conference.unread(conference_record, organizer=organizer, source=source)
    before = conference.sync
    tried_at = _last_tried(before)
    if stored and (before.state is SyncState.COMPLETE or (tried_at and tried_at >= error.at)):
        return stored
    return replace(
        conference,
        organizer=_known(organizer, conference),
        sync=replace(
            before,
            state=SyncState.FAILED,
            source=source,
            ended_event_at=_earliest(before.ended_event_at, ended_event_at),
            attempts=before.attempts + 1,
            error=error,
        ),
    )


def _with_end(
    stored: Conference, ended_event_at: datetime | None, *, organizer: Organizer, source: SyncSource, settle: timedelta
) -> Conference:
    """A stored conference after an event said when it ended."""
    sync = stored.sync
    if ended_event_at is None:
        return stored
    if stored.snapshot is None or sync.pulled_at is None:
        return replace(stored, sync=replace(sync, ended_event_at=_earliest(sync.ended_event_at, ended_event_at)))
    again = Reading(stored.snapshot, sync.pulled_at, sync.meet_calls)
    return after_reading(
        stored, again, organizer=organizer, ended_event_at=ended_event_at, source=source, settle=settle
    )


def wait_after_refusal(attempts: int) -> timedelta:
    """How long to wait after the store refused data as too large: an hour, twice as long each time, a day at most.

    Reading it again costs a call for each participant, and helps only with a new version of this system or after a
    class was split.
    """
    return wait_after(attempts, first=timedelta(hours=1), longest=timedelta(days=1))


def waits_after_refusal(conference: Conference | None, *, now: datetime) -> bool:
    """Whether a conference must wait because the store refused its data and the waiting time is not over."""
    error = conference.sync.error if conference else None
    return (
        conference is not None
        and error is not None
        and error.reason == DocumentsRefused.reason
        and now < error.at + wait_after_refusal(conference.sync.attempts)
    )


def is_unfinished(conference: Conference) -> bool:
    """Whether another read may show more.

    Also for a conference that counted as complete although Meet did not know its end.
    """
    return (
        conference.sync.state is not SyncState.COMPLETE
        or conference.snapshot is None
        or conference.snapshot.record.end_time is None
    )


def read_again_at(conference: Conference, *, listed_end: datetime | None, settle: timedelta) -> datetime | None:
    """When a scheduled job reads an unfinished conference again; None for at once.

    At once if it has ended since the last try; after the settling time if only that is missing; otherwise with growing
    pauses after any attempt.

    Args:
        conference: The stored, unfinished conference.
        listed_end: When it ended, if Meet's list says so.
        settle: How long after its end a conference may still change.
    """
    sync, snapshot = conference.sync, conference.snapshot
    tried_at = _last_tried(sync)
    ended_at = _earliest(snapshot.record.end_time if snapshot else None, listed_end, sync.ended_event_at)
    if tried_at is None or (ended_at and tried_at < ended_at):
        return None
    if ended_at and sync.state is SyncState.PROVISIONAL and tried_at < ended_at + settle:
        return ended_at + settle
    return tried_at + wait_after(sync.attempts)


def end_of(snapshot: Snapshot, sync: Sync) -> datetime:
    """When the conference ended, as far as known: open participant sessions count until then.

    If Meet does not report an end: once the read is final, the last moment at which any participant was seen; before
    that the time of the event that reported the end; while the conference goes on, the moment of the read.
    """
    record = snapshot.record
    if record.end_time:
        return record.end_time
    if sync.state is SyncState.COMPLETE:
        return max(_moments(snapshot))
    return max(sync.ended_event_at or sync.pulled_at or record.start_time, record.start_time)


def is_settling(conference: Conference) -> bool:
    """Whether a conference has ended, so that its data is soon final; one that goes on is read when it has ended."""
    snapshot, sync = conference.snapshot, conference.sync
    return sync.state is SyncState.PROVISIONAL and snapshot is not None and is_over(snapshot, sync)


def is_over(snapshot: Snapshot, sync: Sync) -> bool:
    """Whether the conference is known to have ended."""
    return bool(snapshot.record.end_time or sync.ended_event_at or sync.state is SyncState.COMPLETE)


def _state(snapshot: Snapshot, *, pulled_at: datetime, ended_at: datetime, settle: timedelta) -> SyncState:
    final = (_has_settled(snapshot) and began_after_end(snapshot, pulled_at)) or pulled_at >= ended_at + settle
    return SyncState.COMPLETE if final else SyncState.PROVISIONAL


def began_after_end(snapshot: Snapshot, pulled_at: datetime) -> bool:
    """Whether a read began after the conference had ended: in an earlier read, people who joined later are missing."""
    return snapshot.record.end_time is not None and snapshot.record.end_time <= pulled_at


def _ended_at_the_latest(snapshot: Snapshot, first_pulled_at: datetime) -> datetime:
    """When a call counts as ended if neither Meet nor an event says so."""
    sessions = [session for participant in snapshot.participants for session in participant.sessions]
    if any(session.end_time is None for session in sessions):
        return max(first_pulled_at, snapshot.record.start_time + LONGEST_CALL)
    return first_pulled_at


def _has_settled(snapshot: Snapshot) -> bool:
    return (
        snapshot.record.end_time is not None
        and bool(snapshot.participants)
        and all(
            participant.sessions and all(session.end_time for session in participant.sessions)
            for participant in snapshot.participants
        )
    )


def _moments(snapshot: Snapshot) -> list[datetime]:
    moments: list[datetime | None] = [snapshot.record.start_time]
    for participant in snapshot.participants:
        moments += [participant.earliest_start_time, participant.latest_end_time]
        for session in participant.sessions:
            moments += [session.start_time, session.end_time]
    return [moment for moment in moments if moment]


def _with_known_code(snapshot: Snapshot, stored: Conference | None) -> Snapshot:
    """The snapshot; if this read found no meeting code, with the code that an earlier read of the same room found."""
    before = stored.snapshot.space if stored and stored.snapshot else None
    if before is None or snapshot.space.meeting_code or before.name != snapshot.space.name:
        return snapshot
    return replace(snapshot, space=before)


def _last_tried(sync: Sync) -> datetime | None:
    """When Meet was last asked, with any result."""
    return max((moment for moment in (sync.pulled_at, sync.error.at if sync.error else None) if moment), default=None)


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment), default=None)


def _known(organizer: Organizer, stored: Conference) -> Organizer:
    """The given organizer, with missing values from the stored one."""
    return Organizer(organizer.user or stored.organizer.user, organizer.email or stored.organizer.email)
