"""The log lines that only jobs and a few events need; `log_lines` has the one that every conference needs."""

from __future__ import annotations

import logging

from functions.services.operations.survey import Survey
from functions.services.sync.session import SessionSynced
from functions.services.teachers.keep_subscriptions import Kept

log = logging.getLogger(__name__)


def report_kept(kept: Kept) -> None:
    """Log what was done about a teacher's subscription."""
    subscription = kept.subscription
    facts = {
        "organizer": kept.user,
        "actions": [action.value for action in kept.actions],
        "state": subscription.state.value if subscription else None,
        "expire_time": subscription.expire_time.isoformat() if subscription and subscription.expire_time else None,
    }
    log.info("subscription.kept", extra=facts)


def report_session(synced: SessionSynced, *, seconds: float) -> None:
    """Log the result of updating a class meeting."""
    facts = {
        "outcome": synced.sync.state.value if synced.sync else None,
        "new": synced.created,
        "changed": synced.updated,
        "meet_calls": synced.meet_calls,
        "seconds": round(seconds, 3),
    }
    error = synced.sync.error if synced.sync else None
    if error:
        log.error("session.failed", extra={**facts, "reason": error.reason, "hint": error.hint})
    else:
        log.info("session.synced", extra=facts)


def report_survey(survey: Survey) -> None:
    """Log the state of the system, in numbers; each count only goes up to the survey's limit."""
    log.log(
        logging.WARNING if survey.needs_a_person else logging.INFO,
        "system.surveyed",
        extra={
            "organizers": survey.organizers,
            "inactive_organizers": survey.organizers - survey.active_organizers,
            "provisional_conferences": survey.provisional_conferences.count,
            "failed_conferences": survey.failed_conferences.count,
            "overdue_sessions": survey.overdue_sessions.count,
            "calendar_failures": survey.sessions_not_in_calendar.count,
            "parked_events": survey.parked_events.count,
            "oldest_provisional_seconds": survey.oldest_provisional_seconds,
            "most_overdue_seconds": survey.most_overdue_seconds,
            "session_differences": survey.sessions_check.differences if survey.sessions_check else 0,
        },
    )
