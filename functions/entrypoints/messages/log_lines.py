"""The one log line that tells what reading a conference did. Ids and numbers only.

Alerts are based on these lines (`infra/monitoring/`): a test runs each filter against them.
"""

from __future__ import annotations

import logging

from functions.services.sync.conference import Recorded

log = logging.getLogger(__name__)


def report(recorded: Recorded, *, seconds: float) -> None:
    """Log the result of recording a conference."""
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
