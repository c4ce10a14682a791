"""A job by its name: which use case it is, and what it is about."""

from __future__ import annotations

import re
from collections.abc import Mapping

from functions.domain.errors import UnreadableMessage
from functions.domain.events import conference_record_in
from functions.domain.model import Organizer, SyncSource
from functions.ports import Job
from functions.services import reconcile
from functions.services.deps import Deps
from functions.services.sync import (
    Recorded,
    Request,
    SessionSynced,
    remark_session,
    sync_conference,
    sync_session,
)

_SESSION_ID = re.compile(r"[A-Za-z0-9._~-]{1,256}")
_ORGANIZER = re.compile(r"users/[A-Za-z0-9._~-]{1,256}|[^@\s/]{1,128}@[^@\s/]{1,128}")

Outcome = Recorded | SessionSynced | int | None
"""What came of it; a number is how many further jobs were handed out."""


async def run_job(job: Job, *, deps: Deps) -> Outcome:
    """Do one job. Any may be done twice.

    Raises:
        UnreadableMessage: There is no such job, or it does not say what it is about.
        NotFound: What it is about is gone.
        NeedsOperator: A person must mend something; the next run tries it again.
        Retryable: It is to be done again later.
    """
    match job.name:
        case "sync-conference":
            request = Request(
                conference_record=conference_record_in(job.data.get("conference_record")),
                organizer=_organizer(job.data),
                ended_event_at=None,
                source=SyncSource.RECONCILE,
            )
            return await sync_conference(request, deps=deps)
        case "sync-session":
            return await sync_session(_session_id(job.data), source=SyncSource.RECONCILE, deps=deps)
        case "remark-session":
            await remark_session(_session_id(job.data), deps=deps)
            return None
        case "sync-due":
            return await reconcile.sync_due(deps=deps)
        case "reconcile":
            organizer = _organizer(job.data)
            if not organizer.known:
                return await reconcile.reconcile_all(deps=deps)
            return await reconcile.reconcile(organizer.user or organizer.email or "", deps=deps)
        case _:
            raise UnreadableMessage("The message's attribute `job` names no job that there is.")


def _session_id(data: Mapping[str, object]) -> str:
    session_id = data.get("session_id")
    if isinstance(session_id, str) and _SESSION_ID.fullmatch(session_id):
        return session_id
    raise UnreadableMessage("The job's data names no class meeting ({session_id: …}).")


def _organizer(data: Mapping[str, object]) -> Organizer:
    organizer = data.get("organizer")
    if organizer is None:
        return Organizer()
    if not isinstance(organizer, str) or not _ORGANIZER.fullmatch(organizer):
        raise UnreadableMessage("The job's data names no organizer ({organizer: users/ID or an e-mail}).")
    return Organizer(user=organizer) if organizer.startswith("users/") else Organizer(email=organizer.lower())
