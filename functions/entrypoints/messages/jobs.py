"""Jobs: work that another call, the clock or a person asks for, by a Pub/Sub message with the attribute `job`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from time import monotonic

from functions import logs
from functions.domain.conferences.model import SyncError
from functions.domain.conferences.syncing import is_settling
from functions.domain.errors import AttendanceError, ConferenceRecordGone, NeedsOperator, NotFound, NotSettled
from functions.entrypoints.messages.answer import answer
from functions.entrypoints.messages.concerns import concern_of
from functions.entrypoints.messages.envelope import Message
from functions.entrypoints.messages.log_lines import report
from functions.entrypoints.messages.more_log_lines import report_kept, report_session, report_survey
from functions.ports.messages import Job
from functions.services.operations.parking import PASSED, settle
from functions.services.operations.run_job import run_job
from functions.services.operations.survey import survey
from functions.services.sync.conference import Recorded
from functions.services.sync.session import SessionSynced
from functions.services.teachers.keep_subscriptions import Kept
from functions.wiring import App

SURVEYED = 100
"""Up to how many of a kind are counted when `reconcile` begins."""

log = logging.getLogger(__name__)


async def process(message: Message, app: App) -> SyncError | None:
    """Do the job that a message names; see `functions.entrypoints.messages.events.process`."""
    data = message.payload if isinstance(message.payload, dict) else {}
    job = Job(message.attributes.get("job", ""), data)
    began = monotonic()
    with logs.context(job=job.name[:64], **_about(job)):
        try:
            if job.name == "reconcile" and not job.data:
                await _settle_parked(app)
                await _survey(app)
            outcome = await run_job(job, deps=app.deps)
        except NotFound:
            log.info("job.gone")  # a class meeting that nobody scheduled goes when its conference is assigned elsewhere
            return None
        except NeedsOperator as error:
            # Acknowledged: the next run tries it again.
            log.error("job.failed", extra={"reason": error.reason, "hint": error.hint})  # noqa: TRY400 - no bug
            return SyncError.of(error, at=app.deps.clock())
        seconds = round(monotonic() - began, 3)
        match outcome:
            case Recorded():
                report(outcome, seconds=seconds)
                if outcome.read:
                    await _settle_parked(app, (ConferenceRecordGone.reason,))
                if is_settling(outcome.conference):
                    raise NotSettled("Meet may still change the conference.")
                return outcome.refusal
            case Kept():
                report_kept(outcome)
            case SessionSynced():
                report_session(outcome, seconds=seconds)
            case _:
                log.info("job.done", extra={"handed_out": outcome or 0, "seconds": seconds})
    return None


async def _survey(app: App) -> None:
    """Log the state of the system; a failure here must not keep anything from being done."""
    try:
        report_survey(await survey(views=app.views, now=app.deps.clock(), limit=SURVEYED))
    except AttendanceError as error:
        log.warning("survey.failed", extra={"reason": error.reason, "hint": error.hint})


async def _settle_parked(app: App, reasons: Sequence[str] = PASSED) -> None:
    """Parked messages whose work was done need nobody; that this fails must not keep anything from being done."""
    try:
        await settle(concern_of, reasons=reasons, deps=app.deps)
    except AttendanceError as error:
        log.warning("parked.not_settled", extra={"reason": error.reason, "hint": error.hint})


def _about(job: Job) -> dict[str, str]:
    """What a job names, as log fields: ids, and no address."""
    names = {name: job.data.get(name) for name in ("conference_record", "session_id", "organizer", "space")}
    return {name: value[:256] for name, value in names.items() if isinstance(value, str) and "@" not in value}


handle = partial(answer, process=process)
"""Processes one message of the jobs' topic; see `functions.entrypoints.messages.answer.answer`."""
