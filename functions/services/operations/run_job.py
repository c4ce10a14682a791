"""Run a job by its name: choose its use case and read its data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from functions.domain.conferences.events import STORABLE_ID, conference_record_in, moment_in
from functions.domain.conferences.model import Organizer, SyncSource
from functions.domain.errors import UnreadableMessage
from functions.ports.messages import Job
from functions.services.classes.follow_calendar import follow
from functions.services.deps import Deps
from functions.services.live.look import check_all_live, check_live
from functions.services.operations import erase_student, reconcile
from functions.services.operations.parking import DEAD_LETTERS_JOB, park_dead_letters
from functions.services.sync.conference import Recorded, sync_conference
from functions.services.sync.meet.gathered import Request
from functions.services.sync.seen import contradicted, sample
from functions.services.sync.session import SessionSynced, remark_session
from functions.services.teachers import keep_subscriptions
from functions.services.teachers.keep_subscriptions import Kept

_ID = re.compile(STORABLE_ID)
_SPACE = re.compile(rf"spaces/{STORABLE_ID}")
# No account has an address beyond printable ASCII, and no call could be made as it.
_ORGANIZER = re.compile(rf"users/{STORABLE_ID}|[!-.0-?A-~]{{1,128}}@[!-.0-?A-~]{{1,128}}")

Outcome = Recorded | SessionSynced | Kept | int | None
"""The result of a job; a number is how many further jobs were handed out."""


async def run_job(job: Job, *, deps: Deps) -> Outcome:
    """Run one job. Every job can be repeated safely.

    Raises:
        UnreadableMessage: The job does not exist, or its data lacks what it needs.
        NotFound: The object of the job no longer exists.
        NeedsOperator: A person must fix something; the next run tries it again.
        Retryable: It must be done again later.
    """
    match job.name:
        case "sync-conference":
            return await _sync_conference(job.data, deps)
        case "sync-session":
            return await reconcile.sync_unless_tried(_session_id(job.data), since=_handed_out_at(job.data), deps=deps)
        case "remark-session" | "follow-calendar" | "check-live":
            do = {"remark-session": remark_session, "follow-calendar": follow, "check-live": check_live}[job.name]
            await do(_session_id(job.data), deps=deps)
            return None
        case "sync-due" | "park-dead-letters":
            return await (_sync_due if job.name == "sync-due" else park_dead_letters)(deps=deps)
        case "erase-student":
            erasure_id = _named(job.data, "erasure_id", "names no erasure ({erasure_id: …})")
            return await erase_student.carry_on(erasure_id, deps=deps)
        case "reconcile" if "space" in job.data:
            space = _named(job.data, "space", "lacks the room ({space: spaces/…})", form=_SPACE)
            return await reconcile.reconcile_room(space, deps=deps)
        case "reconcile" if named := _named_organizer(job.data):
            return await reconcile.reconcile(named, deps=deps)
        case "renew-subscriptions" if named := _named_organizer(job.data):
            return await keep_subscriptions.keep(named, deps=deps)
        case "reconcile" | "renew-subscriptions":
            return await _about_everybody(job, deps)
        case _:
            raise UnreadableMessage("Unknown job name in the message attribute `job`.")


async def _sync_conference(data: Mapping[str, object], deps: Deps) -> Recorded | None:
    request = Request(
        conference_record=conference_record_in(data.get("conference_record")),
        organizer=_organizer(data),
        ended_event_at=None,
        source=SyncSource.RECONCILE,
    )
    match data.get("because"):
        case contradicted.BECAUSE if not await contradicted.is_contradicted(request.conference_record, deps=deps):
            return None  # it was read since then
        case sample.BECAUSE:
            return await sample.check(request, deps=deps)
        case _:
            return await sync_conference(request, deps=deps)


async def _sync_due(*, deps: Deps) -> int:
    """Hand out a job for everything whose time has come; erasures also where class meetings cannot be asked for."""
    try:
        due = await reconcile.sync_due(deps=deps) + await check_all_live(deps=deps)
    finally:
        erasing = await erase_student.carry_on_all(deps=deps)
    return due + erasing


async def _about_everybody(job: Job, deps: Deps) -> int:
    """Hand out the job for each teacher, or continue with this."""
    after = job.data.get("after", "")
    if not isinstance(after, str) or not after.isascii():
        raise UnreadableMessage("The job's data lacks the place to continue from ({after: …}).")
    if job.name == "renew-subscriptions":
        return await keep_subscriptions.keep_all(after=after, deps=deps)
    if not after:
        await deps.jobs.publish([Job(DEAD_LETTERS_JOB)])
        await reconcile.publish_changes(deps=deps)
        await sample.take_sample(deps=deps)
    return await reconcile.reconcile_all(after=after, deps=deps)


def _session_id(data: Mapping[str, object]) -> str:
    return _named(data, "session_id", "lacks the class meeting ({session_id: …})")


def _named(data: Mapping[str, object], field: str, otherwise: str, *, form: re.Pattern[str] = _ID) -> str:
    """A name in a job's data that has the form of such names."""
    name = data.get(field)
    if isinstance(name, str) and form.fullmatch(name):
        return name
    raise UnreadableMessage(f"The job's data {otherwise}.")


def _named_organizer(data: Mapping[str, object]) -> str | None:
    """The organizer that a job is about; None for a job about all of them."""
    organizer = _organizer(data)
    return organizer.user or organizer.email


def _handed_out_at(data: Mapping[str, object]) -> datetime | None:
    """When a scheduled job handed out this job; None for any other sender."""
    moment = moment_in(data.get("handed_out_at"))
    if moment is None and data.get("handed_out_at") is not None:
        raise UnreadableMessage(
            "The job's data lacks the time at which it was handed out ({handed_out_at: 2026-11-27T09:00:00Z})."
        )
    return moment


def _organizer(data: Mapping[str, object]) -> Organizer:
    organizer = data.get("organizer")
    if organizer is None:
        return Organizer()
    if not isinstance(organizer, str) or not _ORGANIZER.fullmatch(organizer):
        raise UnreadableMessage("The job's data lacks the organizer ({organizer: users/ID or an e-mail}).")
    return Organizer(user=organizer) if organizer.startswith("users/") else Organizer(email=organizer.lower())
