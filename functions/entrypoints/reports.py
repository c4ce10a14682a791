"""The one log line that tells what a sync did. Ids and numbers only."""

from __future__ import annotations

import logging

from functions.services.keep_subscriptions import Kept
from functions.services.sync import Recorded

log = logging.getLogger(__name__)


def report(recorded: Recorded, *, seconds: float) -> None:
    """Tell what came of recording a conference."""
    sync = recorded.conference.sync
    facts = {
        "outcome": sync.state.value,
        "read": recorded.read,
        "people": recorded.people,
        "meet_calls": sync.meet_calls if recorded.read else 0,
        "attempts": sync.attempts,
        "seconds": round(seconds, 3),
    }
    if recorded.refusal:
        log.error(
            "conference.failed", extra={**facts, "reason": recorded.refusal.reason, "hint": recorded.refusal.hint}
        )
    else:
        log.info("conference.recorded", extra=facts)


def report_kept(kept: Kept) -> None:
    """Tell what was done about a teacher's subscription."""
    subscription = kept.subscription
    facts = {
        "organizer": kept.user,
        "actions": [action.value for action in kept.actions],
        "state": subscription.state.value if subscription else None,
        "expire_time": subscription.expire_time.isoformat() if subscription and subscription.expire_time else None,
    }
    log.info("subscription.kept", extra=facts)
