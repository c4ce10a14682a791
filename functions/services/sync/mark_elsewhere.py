"""Mark class meetings again if their people turned out to be others: by a decision, or because addresses changed.

The commit that makes this necessary also stores it (`Remark`); it is deleted after the jobs are handed out. The reason
is stored by then, so whatever fails here does not fail it: `sync-due` completes it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from functions.domain.classes.sessions import Remark
from functions.domain.errors import Retryable
from functions.ports.messages import Job
from functions.services.deps import Deps

log = logging.getLogger(__name__)


async def mark_elsewhere(remark: Remark | None, *, deps: Deps) -> None:
    """Hand out the jobs now; if that fails, `mark_all_elsewhere` does it later. Nothing is done for None."""
    if remark is None:
        return
    try:
        await _hand_out(remark, deps)
    except Retryable as error:
        log.warning("remark.waits", extra={"reason": error.reason, "detail": error.message})


async def mark_all_elsewhere(*, deps: Deps) -> int:
    """Hand out all waiting jobs.

    Returns:
        For how many remarks.

    Raises:
        Retryable: The store or the jobs' topic did not answer; what is left stays stored.
    """
    remarks = await deps.store.remarks()
    for remark in remarks:
        await _hand_out(remark, deps)
    return len(remarks)


async def _hand_out(remark: Remark, deps: Deps) -> None:
    found = await _sessions(remark, deps)
    if found:
        await deps.jobs.publish([Job("remark-session", {"session_id": name}) for name in sorted(found)])
    await deps.store.forget_remark(remark.remark_id)


async def _sessions(remark: Remark, deps: Deps) -> Collection[str]:
    found = {
        session_id
        for account in remark.accounts
        for session_id in await deps.store.sessions_of_person(account, since=remark.since)
    }
    return found - {remark.session_id}
