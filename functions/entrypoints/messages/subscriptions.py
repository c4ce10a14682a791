"""Events about a subscription itself."""

from __future__ import annotations

import logging

from functions.domain.conferences.events import SubscriptionChanged
from functions.domain.conferences.model import SyncError
from functions.domain.errors import NeedsOperator, NotFound
from functions.entrypoints.messages.more_log_lines import report_kept
from functions.services.teachers.keep_subscriptions import keep_named
from functions.wiring import App

log = logging.getLogger(__name__)


async def look_after(event: SubscriptionChanged, app: App) -> SyncError | None:
    """Handle a subscription that ends soon, has ended or no longer reports anything.

    What is done depends on its present state.
    """
    try:
        kept = await keep_named(event.subscription, deps=app.deps)
    except NotFound:
        kept = None
    except NeedsOperator as error:
        # Acknowledged: it is stored with the organizer, and the scheduled job tries it again.
        log.error("subscription.failed", extra={"reason": error.reason, "hint": error.hint})  # noqa: TRY400 - no bug
        return SyncError.of(error, at=app.deps.clock())
    if kept is None:
        log.info("event.noted")  # the subscription of a teacher who is no longer tracked
    else:
        report_kept(kept)
    return None
