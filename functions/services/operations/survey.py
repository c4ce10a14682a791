"""What needs a person, and what to do: read from documents, without changes and without calls to Google.

Ids, slugs and times only: a survey shows no name and no address.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from functions.domain.classes.sessions import CalendarState
from functions.domain.classes.timetable import RETENTION
from functions.domain.conferences.model import SubscriptionState
from functions.domain.errors import DocumentsRefused, passes
from functions.hints import suspension_hint
from functions.ports.views import Views

SHOWN: Final = 20
"""How many of a kind are shown to a person."""

OVERDUE: Final = timedelta(minutes=10)
"""How long after its time a class meeting may still wait: the job that hands it out runs every five minutes."""

UNRECONCILED: Final = timedelta(hours=6)
"""After which time a person must find out why a teacher's conferences are not listed; the job runs every half hour."""

STUCK: Final = timedelta(hours=1)
"""After how long a conference whose data is not final needs a person.

Meet's data has settled ten minutes after the end, the message is delivered again for as long as it has not, and
`reconcile` looks every half hour.
"""

"""Why a renewal failed that the system tries again, long before the subscription ends."""

CALENDAR_ATTEMPTS: Final = 6
"""After so many failures, 2, 4, 8, 16 and 32 minutes between them, Calendar has been silent for an hour."""

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)

_ELSEWHERE: Final = (
    "The teacher's subscription publishes to another topic, or lacks event types: so this system gets no events "
    "about them. The scheduled job attendance-renew-subscriptions replaces it within six hours; to do it now: make "
    "enroll TEACHER=…. If the problem comes back, another installation in the same Google Cloud project tracks the "
    "same teacher: remove the teacher there."
)
_NOT_RECONCILED: Final = (
    "Conferences of this teacher that no event reported are not found. Look for job.failed with this organizer in "
    "the log of the function meet-attendance-jobs, and check that the scheduled job attendance-reconcile runs. To "
    "see the reason now: make backfill SINCE=1d TEACHER=…."
)
_RENEWAL: Final = (
    "The scheduled job attendance-renew-subscriptions fixes it within six hours; to do it now: make enroll "
    "TEACHER=…. If the problem comes back, check that the job runs and that the function meet-attendance-jobs does "
    "not fail."
)
_REACTIVATED: Final = (
    "Once that is fixed, the scheduled job attendance-renew-subscriptions reactivates the subscription within six "
    "hours; to do it now: make enroll TEACHER=…."
)
_SETTLING: Final = "Meet may still change it. The system reads it again by itself; you do not need to do anything."
_NOT_SETTLED: Final = (
    "Its data should be final by now. To read it again: make backfill SINCE=30d. If the problem stays, check that "
    "the scheduled job attendance-reconcile runs and that the functions meet-attendance-events and "
    "meet-attendance-jobs do not fail."
)
_READ_AGAIN: Final = (
    "Once that is fixed, the system reads it again within six hours; to do it now: make backfill SINCE=30d."
)
_READ_LATER: Final = "The system reads it again after hours, later once a day; to do it now: make backfill SINCE=30d."
_NOT_HANDED_OUT: Final = (
    "Check that the scheduled job attendance-sync-due runs (gcloud scheduler jobs list) and that the function "
    "meet-attendance-jobs (on_job) does not fail: due class meetings are handed out every five minutes."
)
_CALENDAR_AGAIN: Final = "Once that is fixed, the system tries again within six hours."
_CALENDAR_GIVEN_UP: Final = (
    "The system does not try again by itself. Change the class (subject, time, teachers or roster) to try again."
)
_CALENDAR_SILENT: Final = (
    "Google Calendar has not answered for an hour. If the problem stays, look for calendar.waits and job.failed in "
    "the log of the function meet-attendance-jobs, and check the quota of the Google Calendar API (console: APIs & "
    "Services)."
)
_UNKNOWN_REASON: Final = "Look for it in the log of the functions meet-attendance-events and meet-attendance-jobs."


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that may need a person.

    Attributes:
        id: Which one: `users/{id}`, a conference record, a class meeting's id, or a parked message's.
        reason: A slug.
        hint: What to do about it.
        since: Since when, as far as is known.
    """

    id: str
    reason: str
    hint: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Findings:
    """Problems of one kind, those that have waited the longest first; `more` says whether there are others."""

    first: tuple[Finding, ...]
    more: bool

    @property
    def count(self) -> int:
        """How many there are in this list."""
        return len(self.first)


@dataclass(frozen=True, slots=True)
class SessionsCheck:
    """The last check of conferences whose sessions are known from events: they were read in full and compared.

    Attributes:
        began_at: When it began.
        conferences: How many were compared so far.
        differences: How many people in them had been there at other times.
    """

    began_at: datetime
    conferences: int
    differences: int


@dataclass(frozen=True, slots=True)
class Survey:
    """The state of the system at a moment.

    Attributes:
        surveyed_at: That moment.
        organizers: How many teachers are tracked.
        active_organizers: How many of them have a subscription that reports their conferences now.
        last_sync_at: When the last successful read of a conference began; None if there was none.
        organizers_without_subscription: Teachers whose conferences no event reports, or soon no event will report.
        unreconciled_organizers: Teachers whose conferences could not be listed for hours.
        failed_conferences: Conferences that Meet does not let us read.
        provisional_conferences: Conferences whose data is not final; right after a class this is normal.
        overdue_sessions: Class meetings that should have been updated but were not.
        sessions_not_in_calendar: Class meetings that Calendar does not show correctly, and that need a person.
        parked_events: Messages that could not be processed and were not replayed.
        oldest_provisional_seconds: How long ago the oldest provisional conference ended; 0 if there is none.
        most_overdue_seconds: How long ago the most overdue class meeting was due; 0 if there is none.
        sessions_check: How well events agree with Meet; None if this was never checked.
    """

    surveyed_at: datetime
    organizers: int
    active_organizers: int
    last_sync_at: datetime | None
    organizers_without_subscription: Findings
    unreconciled_organizers: Findings
    failed_conferences: Findings
    provisional_conferences: Findings
    overdue_sessions: Findings
    sessions_not_in_calendar: Findings
    parked_events: Findings
    oldest_provisional_seconds: int
    most_overdue_seconds: int
    sessions_check: SessionsCheck | None = None

    @property
    def needs_a_person(self) -> bool:
        """Whether anything needs a person."""
        return bool(
            self.organizers_without_subscription.first
            or self.unreconciled_organizers.first
            or self.failed_conferences.first
            or self.overdue_sessions.first
            or self.sessions_not_in_calendar.first
            or self.parked_events.first
            or self.oldest_provisional_seconds >= STUCK.total_seconds()
        )


async def survey(*, views: Views, now: datetime, limit: int = SHOWN) -> Survey:
    """Read the state of the system. What Meet has deleted is left out, because nobody can fix it.

    Args:
        views: Where to look. The number of reads depends on `limit`, plus one for each teacher.
        now: The time.
        limit: How many of a kind are shown at most.

    Raises:
        StoreUnavailable: The store does not answer.
        DocumentTooNew: A later version of this system wrote a document.
    """
    forgotten_before = now - RETENTION
    found = await views.troubles(due_before=now - OVERDUE, ended_since=forgotten_before, limit=limit)
    organizers = [_organizer(organizer, now) for organizer in found.organizers]
    failed = _still_known(map(_failed, found.failed_conferences), forgotten_before)
    provisional = _still_known((_provisional(one, now) for one in found.provisional_conferences), forgotten_before)
    overdue = [_overdue(session) for session in found.overdue_sessions]
    in_vain = [_not_in_calendar(session, now) for session in found.sessions_not_in_calendar]
    return Survey(
        surveyed_at=now,
        organizers=len(found.organizers),
        active_organizers=sum(_is_active(organizer, now) for organizer in found.organizers),
        last_sync_at=found.last_pulled_at,
        organizers_without_subscription=_first(filter(None, organizers), limit),
        unreconciled_organizers=_first(filter(None, (_unreconciled(one, now) for one in found.organizers)), limit),
        failed_conferences=_first(failed, limit),
        provisional_conferences=_first(provisional, limit),
        overdue_sessions=_first(overdue, limit),
        sessions_not_in_calendar=_cut(filter(None, in_vain), limit),
        parked_events=_first(map(_parked, found.parked_events), limit),
        oldest_provisional_seconds=_longest(provisional, now),
        most_overdue_seconds=_longest(overdue, now),
        sessions_check=_sessions_check(found.sessions_check),
    )


def _sessions_check(check: Mapping[str, Any] | None) -> SessionsCheck | None:
    return SessionsCheck(check["began_at"], check["conferences"], check["differences"]) if check else None


def _organizer(organizer: Mapping[str, Any], now: datetime) -> Finding | None:
    """What is wrong with a teacher's subscription; None if nothing is."""
    subscription = organizer.get("subscription") or {}
    error, expire_time = subscription.get("error"), subscription.get("expire_time")
    seen_to = subscription.get("renewed_at") or organizer.get("enrolled_at")
    state = subscription.get("state")
    if _is_active(organizer, now) and (not error or passes(error["reason"])):
        return None
    if state == SubscriptionState.SUSPENDED:
        reason = subscription.get("suspension_reason")
        told = (reason or "subscription-suspended", f"{suspension_hint(reason)} {_REACTIVATED}", seen_to)
    elif error:
        told = (error.get("reason") or "subscription-failed", error.get("hint") or _RENEWAL, error.get("at") or seen_to)
    elif state == SubscriptionState.ACTIVE:
        told = ("subscription-expired", _RENEWAL, expire_time)
    elif state == SubscriptionState.ELSEWHERE:
        told = ("subscription-elsewhere", _ELSEWHERE, seen_to)
    elif state == SubscriptionState.PENDING:
        told = ("subscription-pending", _RENEWAL, seen_to)
    else:
        told = ("subscription-missing", _RENEWAL, seen_to)
    reason, hint, since = told
    return Finding(organizer["user"], reason, hint, since)


def _unreconciled(organizer: Mapping[str, Any], now: datetime) -> Finding | None:
    """A teacher whose conferences could not be listed for a while; None if they were listed recently."""
    since = organizer.get("reconciled_until") or organizer.get("enrolled_at")
    if since is None or now - since < UNRECONCILED:
        return None
    return Finding(organizer["user"], "not-reconciled", _NOT_RECONCILED, since)


def _is_active(organizer: Mapping[str, Any], now: datetime) -> bool:
    subscription = organizer.get("subscription") or {}
    expire_time = subscription.get("expire_time")
    return subscription.get("state") == SubscriptionState.ACTIVE and (expire_time is None or expire_time > now)


def _failed(conference: Mapping[str, Any]) -> Finding:
    error = conference["sync"].get("error") or {}
    again = _READ_LATER if error.get("reason") == DocumentsRefused.reason else _READ_AGAIN
    hint = f"{error.get('hint') or _UNKNOWN_REASON} {again}"
    return Finding(_record(conference), error.get("reason") or "failed", hint, _open_since(conference))


def _provisional(conference: Mapping[str, Any], now: datetime) -> Finding:
    since = _open_since(conference)
    stuck = since is not None and now - since >= STUCK
    told = ("not-settled", _NOT_SETTLED) if stuck else ("settling", _SETTLING)
    return Finding(_record(conference), *told, since)


def _overdue(session: Mapping[str, Any]) -> Finding:
    error = (session.get("progress") or {}).get("error") or {}
    hint = f"{error['hint']} {_NOT_HANDED_OUT}" if error.get("hint") else _NOT_HANDED_OUT
    return Finding(
        session.get("session_id") or session["id"], error.get("reason") or "overdue", hint, session["due_at"]
    )


def _not_in_calendar(session: Mapping[str, Any], now: datetime) -> Finding | None:
    """What keeps a class meeting's event from being correct; None if it may still become correct by itself."""
    entry, due_at = session["calendar"], session.get("calendar_due_at")
    hint = entry.get("hint") or _UNKNOWN_REASON
    if due_at is not None and due_at < now - OVERDUE:
        told = ("calendar-overdue", _NOT_HANDED_OUT)
    elif entry["state"] == CalendarState.FAILED:
        told = ("calendar-failed", f"{hint} {_CALENDAR_GIVEN_UP if due_at is None else _CALENDAR_AGAIN}")
    elif session.get("calendar_failures", 0) >= CALENDAR_ATTEMPTS:
        told = ("calendar-unavailable", _CALENDAR_SILENT)
    else:
        return None
    return Finding(session.get("session_id") or session["id"], *told, since=None)


def _parked(event: Mapping[str, Any]) -> Finding:
    hint = f"{event.get('hint') or _UNKNOWN_REASON} Once the cause is fixed: make replay ID={event['id']}"
    return Finding(event["id"], event.get("reason") or "parked", hint, event.get("parked_at"))


def _record(conference: Mapping[str, Any]) -> str:
    return str(conference.get("conference_record") or f"conferenceRecords/{conference['id']}")


def _open_since(conference: Mapping[str, Any]) -> datetime | None:
    """Since when a conference's data could have been final: its end, else its last read, else the failed read."""
    sync = conference["sync"]
    since = conference.get("end_time") or sync.get("pulled_at") or (sync.get("error") or {}).get("at")
    return since if isinstance(since, datetime) else None


def _still_known(troubles: Iterable[Finding], forgotten_before: datetime) -> list[Finding]:
    return [trouble for trouble in troubles if trouble.since is None or trouble.since >= forgotten_before]


def _first(troubles: Iterable[Finding], limit: int) -> Findings:
    return _cut(sorted(troubles, key=lambda trouble: (trouble.since or _LONG_AGO, trouble.id)), limit)


def _cut(ordered: Iterable[Finding], limit: int) -> Findings:
    found = tuple(ordered)
    return Findings(found[:limit], more=len(found) > limit)


def _longest(troubles: Iterable[Finding], now: datetime) -> int:
    return max((int((now - trouble.since).total_seconds()) for trouble in troubles if trouble.since), default=0)
