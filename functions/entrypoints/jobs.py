"""Jobs: work that another call, the clock or a person asks for, by a Pub/Sub message with the attribute `job`."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from time import monotonic

from cloudevents.http import CloudEvent

from functions import logs
from functions.domain.errors import NeedsOperator, NotFound, NotSettled, UnreadableMessage
from functions.domain.events import conference_record_in
from functions.domain.model import Organizer, SyncSource, SyncState
from functions.entrypoints.envelope import Message
from functions.entrypoints.handling import TIME, answer
from functions.entrypoints.reports import report
from functions.services import reconcile
from functions.services.sync import Request, remark_session, sync_conference, sync_session
from functions.wiring import App

log = logging.getLogger(__name__)

_SESSION_ID = re.compile(r"[A-Za-z0-9._~-]{1,256}")
_ORGANIZER = re.compile(r"users/[A-Za-z0-9._~-]{1,256}|[^@\s/]{1,128}@[^@\s/]{1,128}")


async def handle(event: CloudEvent, build_app: Callable[[], App], *, within: float = TIME) -> None:
    """Process one message of the jobs' topic; see `functions.entrypoints.handling.answer`."""
    await answer(event, build_app, _process, within=within)


async def _process(message: Message, app: App) -> None:
    job = message.attributes.get("job", "")
    data = message.payload if isinstance(message.payload, dict) else {}
    await run(job, data, app)


async def run(job: str, data: Mapping[str, object], app: App) -> None:
    """Do one job.

    Args:
        job: Its name.
        data: What it is about.
        app: The application.

    Raises:
        UnreadableMessage: There is no such job, or it does not say what it is about.
        Retryable: It is to be done again later.
    """
    with logs.context(job=job[:64]):
        match job:
            case "sync-conference":
                await _sync_conference(data, app)
            case "sync-session":
                await _sync_session(_session_id(data), app)
            case "remark-session":
                await remark_session(_session_id(data), deps=app.deps)
            case "sync-due":
                log.info("sessions.due", extra={"sessions": await reconcile.sync_due(deps=app.deps)})
            case "reconcile":
                await _reconcile(data, app)
            case _:
                raise UnreadableMessage("The message's attribute `job` names no job that there is.")


async def _sync_conference(data: Mapping[str, object], app: App) -> None:
    began = monotonic()
    request = Request(
        conference_record=conference_record_in(data.get("conference_record")),
        organizer=_organizer(data),
        ended_event_at=None,
        source=SyncSource.RECONCILE,
    )
    with logs.context(conference_record=request.conference_record):
        recorded = await sync_conference(request, deps=app.deps)
        report(recorded, seconds=monotonic() - began)
        if recorded.conference.sync.state is SyncState.PROVISIONAL:
            raise NotSettled("Meet may still change the conference.")


async def _sync_session(session_id: str, app: App) -> None:
    began = monotonic()
    with logs.context(session_id=session_id):
        try:
            synced = await sync_session(session_id, source=SyncSource.RECONCILE, deps=app.deps)
        except NotFound:
            log.info("session.gone")  # an unscheduled one goes when its conference is assigned elsewhere
            return
        log.info(
            "session.synced",
            extra={
                "new": synced.created,
                "changed": synced.updated,
                "meet_calls": synced.meet_calls,
                "seconds": round(monotonic() - began, 3),
            },
        )


async def _reconcile(data: Mapping[str, object], app: App) -> None:
    if data.get("organizer") is None:
        log.info("organizers.handed_out", extra={"organizers": await reconcile.reconcile_all(deps=app.deps)})
        return
    organizer = _organizer(data)
    try:
        handed_out = await reconcile.reconcile(organizer.user or organizer.email or "", deps=app.deps)
    except NotFound:
        log.info("organizer.gone")
    except NeedsOperator as error:
        # The next run tries it again.
        log.error(  # noqa: TRY400 - the reason is the message, a traceback adds nothing
            "organizer.failed",
            extra={"organizer": organizer.user, "reason": error.reason, "hint": error.hint},
        )
    else:
        log.info("organizer.reconciled", extra={"organizer": organizer.user, "conferences": handed_out})


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
