"""How certain it is what happened in a class: its state, whether it was held, and when to look again.

A class is never called not held, and nobody absent, because something was not checked. This needs a list of the room's
conference records that Meet returned after the class, and the final data of every record in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from functions.domain.backoff import wait_after
from functions.domain.classes.sessions import ClassSession, Presence, SessionState
from functions.domain.classes.timetable import RETENTION
from functions.domain.conferences.model import Conference, Sync, SyncError, SyncSource, SyncState
from functions.domain.conferences.syncing import end_of, is_over
from functions.domain.intervals import Interval, covered, union


def after_attempt(
    session: ClassSession, *, began_at: datetime, listed: bool, error: SyncError | None, certain: bool
) -> ClassSession:
    """The class meeting after an attempt to update it.

    Args:
        session: As it stood.
        began_at: When the attempt began, and with it the list of the room's records.
        listed: Whether that list was read to its last page.
        error: Why the list failed, if it did. It keeps the time at which the failures began.
        certain: Whether another attempt cannot find anything more.
    """
    before = session.progress
    if before.tried_at and before.tried_at > began_at:
        return session  # a later attempt has newer results
    if error and before.error:
        error = replace(error, at=before.error.at)  # the time since which it fails: see `failing_sessions` of the store
    # When Meet may have deleted a record of the class, a list without the record is not evidence.
    evidence = listed and session.owned is not None and began_at < session.owned.start + RETENTION
    return replace(
        session,
        progress=replace(
            before,
            listed_at=began_at if evidence else before.listed_at,
            error=error,
            failures=0 if certain else before.failures + 1,
            tried_at=began_at,
        ),
    )


def after_refusal(
    session: ClassSession, error: SyncError, *, wait: timedelta, source: SyncSource, now: datetime
) -> ClassSession:
    """The class meeting after the store permanently refused its new data; its attendance stays as it was.

    Args:
        session: As it stood.
        error: Why; `at` is when the attempt began.
        wait: How long to wait before the next attempt.
        source: What started the attempt.
        now: The time.
    """
    tried = after_attempt(session, began_at=error.at, listed=False, error=error, certain=False)
    time = None if session.plan.cancelled else session.plan.scheduled or session.owned
    due = error.at + wait
    progress = replace(tried.progress, due_at=due if time and due < time.end + RETENTION else None)
    blank = Sync(SyncState.FAILED, source, None, None, None, attempts=0, meet_calls=0)
    is_over_now = time is not None and time.end <= now and session.state in {SessionState.SCHEDULED, SessionState.LIVE}
    return replace(
        tried,
        progress=progress,
        state=SessionState.ENDED if is_over_now else session.state,
        sync=replace(session.sync or blank, state=SyncState.FAILED, error=error),
    )


def due_at(session: ClassSession, *, settle: timedelta) -> datetime | None:
    """When a class meeting must be updated again; None if that is not needed.

    At its scheduled end, once more after the settling time, and after a failure again and again with growing pauses,
    until Meet has deleted its data.
    """
    progress, scheduled = session.progress, session.plan.takes_place
    due: datetime | None = None
    if scheduled is None:
        if session.owned and progress.failures and progress.tried_at and not session.plan.cancelled:
            due = progress.tried_at + wait_after(progress.failures)
        return due if due and session.owned and due < session.owned.end + RETENTION else None
    if progress.tried_at is None or progress.tried_at < scheduled.end:
        due = scheduled.end
    elif progress.failures:
        due = progress.tried_at + wait_after(progress.failures)
    elif progress.listed_at is None or progress.listed_at < scheduled.end + settle:
        due = scheduled.end + settle
        if progress.tried_at >= due:
            due = None  # too old: Meet no longer has the data
    return due if due and due < scheduled.end + RETENTION else None


def after_marking(
    session: ClassSession, *, now: datetime, settle: timedelta, everybody_answered: bool = True
) -> ClassSession:
    """The class meeting with the time at which it is due again.

    Args:
        session: As it was marked.
        now: The time of the computation.
        settle: How long after its end a conference may still change.
        everybody_answered: Whether every account that was there was looked up. If not, the class is due again, as after
            a failed attempt. A scheduled class that was never tried is due anyway.
    """
    progress = session.progress
    untried = session.plan.takes_place is not None and progress.tried_at is None
    if not everybody_answered and not progress.failures and not untried:
        progress = replace(progress, failures=1, tried_at=progress.tried_at or now)
        session = replace(session, progress=progress)
    due = due_at(session, settle=settle)
    # If it is not tried again, failures no longer matter.
    return replace(session, progress=replace(progress, due_at=due, failures=progress.failures if due else 0))


def was_searched(session: ClassSession) -> bool:
    """Whether Meet was asked for all the class's records at or after its scheduled end.

    An earlier list proves nothing, even if every call in it has ended: a call that dropped may be made again.
    """
    listed_at, scheduled = session.progress.listed_at, session.plan.scheduled
    return listed_at is not None and scheduled is not None and listed_at >= scheduled.end


def was_listed_since(session: ClassSession, conference: Conference) -> bool:
    """Whether Meet was asked for the room's records after one of the class's conferences, or the class itself, ended.

    Then a repeated message about that conference is not a reason to ask again. It does not prove that the class has no
    further conferences (`was_searched`): these are looked for when the class is due.
    """
    listed_at, scheduled = session.progress.listed_at, session.plan.scheduled
    if listed_at is None or scheduled is None:
        return False
    attached = {record.conference_record for record in session.plan.attached}
    snapshot = conference.snapshot
    # Conferences that people attached may have been on another day: they do not say when this class ended.
    if snapshot and conference.conference_record not in attached and is_over(snapshot, conference.sync):
        return listed_at >= min(scheduled.end, end_of(snapshot, conference.sync))
    return listed_at >= scheduled.end


def is_decided(
    session: ClassSession, conferences: Iterable[Conference], *, missing: Sequence[str], settle: timedelta
) -> bool:
    """Whether the data of all the class's conferences is final; reports never are, because rows may come late."""
    listed_at, scheduled = session.progress.listed_at, session.plan.scheduled
    return (
        scheduled is not None
        and listed_at is not None
        and listed_at >= scheduled.end + settle
        and not missing
        and all(c.sync.state is SyncState.COMPLETE and not c.reported for c in conferences)
    )


def held_time(scheduled: Interval | None, teaching: Iterable[Presence], together: Iterable[Interval]) -> timedelta:
    """How long, within the scheduled time, a teacher or at least two people at once were there."""
    if scheduled is None:
        return timedelta(0)
    taught = (clipped for presence in teaching if (clipped := presence.interval.clip(scheduled)))
    return covered([*taught, *together])


def min_held(session: ClassSession) -> timedelta:
    """How long a class meeting must be held to count as held: never longer than its scheduled time."""
    wanted, scheduled = session.plan.policy.min_held, session.plan.scheduled
    return min(wanted, scheduled.length) if scheduled else wanted


def taught_time(scheduled: Interval | None, owned: Interval, teaching: Iterable[Presence]) -> Interval | None:
    """From a teacher's arrival until a teacher's leaving, within the scheduled time; None if this is empty.

    Args:
        scheduled: From when to when the class was to be.
        owned: The time that the class owns, in which the arrival and the leaving are looked for.
        teaching: The teachers' presences.
    """
    there = [clipped for presence in teaching if (clipped := presence.interval.clip(owned))]
    if scheduled is None or not there:
        return None
    taught = Interval(
        max(scheduled.start, min(time.start for time in there)), min(scheduled.end, max(time.end for time in there))
    )
    return taught if taught.start < taught.end else None


def held_window(taught: Interval | None, together: Sequence[Interval]) -> Interval | None:
    """The time that a teacher held the class; None if the scheduled time counts.

    If a teacher was there for less than half of the time in which people were together, the teacher's time does not
    count: the teacher's connection failed, or somebody else took over.

    Args:
        taught: From a teacher's coming to a teacher's going, within the scheduled time.
        together: When at least two people were there at once, within the scheduled time.
    """
    if taught is None:
        return None
    within = covered(clipped for time in together if (clipped := time.clip(taught)))
    return None if within * 2 < covered(together) else taught


def times_together(scheduled: Interval | None, people: Iterable[Iterable[Presence]]) -> list[Interval]:
    """When, within the scheduled time, at least two people were there at once.

    Args:
        scheduled: From when to when the class was to be.
        people: The presences of everybody except room devices, person by person.
    """
    if scheduled is None:
        return []
    return _together(
        union(clipped for p in presences if (clipped := p.interval.clip(scheduled))) for presences in people
    )


def session_state(
    session: ClassSession,
    conferences: Sequence[Conference],
    *,
    missing: Sequence[str],
    held_for: timedelta,
    everybody_known: bool,
    now: datetime,
    settle: timedelta,
) -> SessionState:
    """The state of a class meeting that is not cancelled.

    It is not called `not_held` as long as somebody who was there may have been its teacher.
    """
    scheduled = session.plan.scheduled
    decided = everybody_known and is_decided(session, conferences, missing=missing, settle=settle)
    if decided and held_for < min_held(session):
        return SessionState.NOT_HELD
    if any(c.snapshot and not is_over(c.snapshot, c.sync) for c in conferences):
        return SessionState.LIVE
    if scheduled and now < scheduled.end:
        # A call of another day that people attached does not start the class.
        begins = scheduled.start - session.plan.policy.open_before
        return SessionState.LIVE if (conferences or missing) and now >= begins else SessionState.SCHEDULED
    return SessionState.ENDED


def session_sync(
    session: ClassSession, conferences: Sequence[Conference], *, missing: Sequence[str], settle: timedelta
) -> Sync | None:
    """How much of all the class's conferences has been read; None before the first attempt."""
    progress = session.progress
    syncs = [conference.sync for conference in conferences]
    if not syncs and not missing and progress.listed_at is None and progress.error is None:
        return None
    error = progress.error or next((sync.error for sync in syncs if sync.error), None)
    states = {sync.state for sync in syncs}
    if progress.error or SyncState.FAILED in states:
        state = SyncState.FAILED
    elif (
        SyncState.PROVISIONAL in states
        or any(conference.reported for conference in conferences)
        or missing
        or (not syncs and not is_decided(session, conferences, missing=missing, settle=settle))
    ):
        state = SyncState.PROVISIONAL
    else:
        state = SyncState.COMPLETE
    latest = max(syncs, key=lambda sync: (sync.pulled_at is not None, sync.pulled_at or 0), default=None)
    return Sync(
        state=state,
        source=latest.source if latest else SyncSource.RECONCILE,
        pulled_at=max((sync.pulled_at for sync in syncs if sync.pulled_at), default=progress.listed_at),
        first_pulled_at=min((sync.first_pulled_at for sync in syncs if sync.first_pulled_at), default=None),
        ended_event_at=max((sync.ended_event_at for sync in syncs if sync.ended_event_at), default=None),
        attempts=sum(sync.attempts for sync in syncs),
        meet_calls=sum(sync.meet_calls for sync in syncs),
        error=error,
    )


def _together(people: Iterable[Sequence[Interval]]) -> list[Interval]:
    """When at least two of these people were there; the intervals of each person are disjoint."""
    moments = sorted(
        (moment, step) for times in people for time in times for moment, step in ((time.start, 1), (time.end, -1))
    )
    together: list[Interval] = []
    there = 0
    for (moment, step), (following, _) in pairwise(moments):
        there += step
        if there > 1:
            began = together.pop().start if together and together[-1].end == moment else moment
            together.append(Interval(began, following))
    return together
