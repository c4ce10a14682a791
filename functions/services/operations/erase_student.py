"""Erase a person everywhere, for good.

The names are kept from being stored again first: their fingerprints stand in `erased/{HMAC}` from the first commit on,
and every unit of work leaves out what they name. Only then is everything that is stored gone through, in parts of a few
documents each. How far that is stands in `erasures/{id}`, so a crash costs one part at most: the same call, the job, or
`sync-due` carries on. Each part may be done twice.

A unit of work that had begun before may still store the person. So `GRACE` later, when none of those can be left, what
was written meanwhile is looked through once more, by the fingerprints alone.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from functions.domain.classes.calendar import to_follow
from functions.domain.classes.roster import Assignment
from functions.domain.classes.sessions import AuditEntry, Caller, ClassSession
from functions.domain.erasure import Name, NameKind
from functions.domain.errors import DocumentsRefused, ErasureNotSetUp, PersonNotFound
from functions.domain.marking.people import attendee_id
from functions.hints import ERASURE_NOT_SET_UP
from functions.ports.erasures import Erasure, Erasures, Part, Step, Subject
from functions.ports.messages import Job
from functions.ports.store import Work
from functions.services.classes.follow_calendar import JOB as FOLLOW
from functions.services.deps import Deps
from functions.services.sync.marking import mark

JOB = "erase-student"

GRACE = timedelta(minutes=15)
"""After that no unit of work is left that began before the names were kept: a function lives for 540 seconds."""

STALLED = timedelta(minutes=10)
"""An erasure that has not got on for so long was broken off: `sync-due` carries on with it."""

CALL, SHIFT = timedelta(seconds=60), timedelta(seconds=240)
"""How long a call of the API, or of the jobs' function, goes on with an erasure before it leaves the rest to a job."""

AT_ONCE = 10
"""How many class meetings are marked again between two notes of how far the erasure is."""

MOST_PARTS = 2000
"""How many parts one call does at most: a clock that stands still must not keep it going for ever."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        complete: Whether everything that was stored was gone through; else a job goes on.
        dry_run: Whether it was only looked.
        counts: How many documents of each kind were changed or deleted, or would be.
        left: How many accounts and addresses go with the person and are left, because others have or had them too.
    """

    complete: bool
    dry_run: bool
    counts: Mapping[str, int] = field(default_factory=dict)
    left: int = 0


async def erase(name: str, *, dry_run: bool, caller: Caller, entry_id: str, deps: Deps) -> Outcome:
    """Erase the person with a `student_id`, an account or an address; one that is under way is carried on.

    Raises:
        PersonNotFound: No document names such a person; nothing was written.
        PersonNotUnique: It cannot be told which one person is meant; nothing was written.
        PersonTeaches: The person is a teacher here; nothing was written.
        AccountAssigned: Another student used an account of the person; nothing was written.
        ErasureNotSetUp: There is no key, so the person would come back with the next reading; nothing was written.
        Retryable: The store did not answer; what is left is done by the next call, or by `sync-due`.
    """
    erasures = _required(deps)
    erasure = await erasures.of(name)
    if erasure and not erasure.step.settling:
        # It is settled who is meant, and half of what told that may be gone.
        return await (_look(None, erasure, deps) if dry_run else _carry_on(erasure, for_at_most=CALL, deps=deps))
    subject = await erasures.find(name)
    if subject is None:
        raise PersonNotFound("Nothing is stored about a person with this student_id, account or address.")
    if dry_run:
        return await _look(subject, None, deps)
    erasure = await erasures.begin(subject, AuditEntry(entry_id, None, caller.email, "student.erased", {}))
    return replace(await _carry_on(erasure, for_at_most=CALL, deps=deps), left=subject.left)


async def carry_on(erasure_id: str, *, deps: Deps) -> int:
    """Go on with an erasure that a call left; nothing happens if it is done.

    Returns:
        How many further jobs were handed out.
    """
    erasures = _required(deps)
    erasure = await erasures.get(erasure_id)
    if erasure is None:
        return 0
    outcome = await _carry_on(erasure, for_at_most=SHIFT, deps=deps)
    return 0 if outcome.complete else 1


async def carry_on_all(*, deps: Deps) -> int:
    """Hand out a job for every erasure that was broken off, or that has to look through what came meanwhile.

    Returns:
        How many.
    """
    if deps.erasures is None or not deps.erasures.possible:
        return 0
    now = deps.clock()
    due = [erasure for erasure in await deps.erasures.under_way() if now >= _due_at(erasure)]
    await deps.jobs.publish([Job(JOB, {"erasure_id": erasure.erasure_id}) for erasure in due])
    return len(due)


def _due_at(erasure: Erasure) -> datetime:
    return erasure.begun_at + GRACE if erasure.step.settling else erasure.updated_at + STALLED


def _required(deps: Deps) -> Erasures:
    if deps.erasures is None or not deps.erasures.possible:
        raise ErasureNotSetUp(
            "ERASURE_KEY is not set, so an erased person would be stored again.", hint=ERASURE_NOT_SET_UP
        )
    return deps.erasures


async def _look(subject: Subject | None, erasure: Erasure | None, deps: Deps) -> Outcome:
    """What would be changed, as far as it can be told within the time of a call. Nothing is written."""
    erasures, ends_at = _required(deps), deps.clock() + CALL
    now = deps.clock()
    names = (subject.names if subject else frozenset()) | (erasure.names if erasure else frozenset())
    sessions = {*(subject.sessions if subject else ()), *(erasure.sessions if erasure else ())}
    attendees = (subject.attendees if subject else frozenset()) | (erasure.attendees if erasure else frozenset())
    counts: Counter[str] = Counter({"attendance": subject.attendance if subject else 0})
    looked = Erasure("", "", names, (), attendees, Step.CONFERENCES, None, now, now)
    for _ in range(MOST_PARTS):
        if looked.step.settling or deps.clock() >= ends_at:
            break
        part = await erasures.part(looked, only_look=True)
        sessions |= set(part.sessions)
        counts[looked.step.value] += part.changed + len(part.conferences)
        looked = replace(looked, after=part.after, step=looked.step if part.after else looked.step.following)
    counts["sessions"] = len(sessions)
    left = subject.left if subject else 0
    return Outcome(complete=looked.step.settling, dry_run=True, counts=dict(counts), left=left)


async def _carry_on(erasure: Erasure, *, for_at_most: timedelta, deps: Deps) -> Outcome:
    ends_at = deps.clock() + for_at_most
    for _ in range(MOST_PARTS):
        if _rests(erasure, deps):
            break
        if deps.clock() >= ends_at:
            await deps.jobs.publish([Job(JOB, {"erasure_id": erasure.erasure_id})])
            break
        erasure = await _next(erasure, deps)
    log.info("student.erasing", extra={"erasure_id": erasure.erasure_id, "step": erasure.step.value})
    return Outcome(complete=erasure.step.settling, dry_run=False, counts=dict(erasure.done))


def _rests(erasure: Erasure, deps: Deps) -> bool:
    """Whether nothing is to be done now."""
    settles_later = erasure.step is Step.SETTLE_SESSIONS and deps.clock() < erasure.begun_at + GRACE
    return erasure.step is Step.DONE or settles_later


async def _next(erasure: Erasure, deps: Deps) -> Erasure:
    """Do one part."""
    erasures = _required(deps)
    match erasure.step:
        case Step.SESSIONS:
            return await _sessions(erasure, deps)
        case _:
            part = await erasures.part(erasure, only_look=False)
            done = await _units_of_work(erasure, part, deps)
            step = erasure.step if part.after else erasure.step.following
            return await erasures.save(replace(done, after=part.after, step=step))


async def _sessions(erasure: Erasure, deps: Deps) -> Erasure:
    """Take the person out of some class meetings."""
    now, later = erasure.sessions[:AT_ONCE], erasure.sessions[AT_ONCE:]
    for session_id in now:
        erasure = await _erase_in(session_id, erasure, deps)
    return await _required(deps).save(
        replace(erasure, sessions=later, step=erasure.step if later else erasure.step.following)
    )


async def _units_of_work(erasure: Erasure, part: Part, deps: Deps) -> Erasure:
    """Store conferences without the person, and mark class meetings without the person."""
    for record in part.conferences:
        await _erase_conference(record, erasure, deps)
    erasure = _counted(erasure, erasure.step.seen_first.value, part.changed + len(part.conferences))
    for session_id in dict.fromkeys(part.sessions):
        erasure = await _erase_in(session_id, erasure, deps)
    return erasure


async def _erase_conference(record: str, erasure: Erasure, deps: Deps) -> None:
    async def decide(work: Work) -> None:
        conference = await work.conference(record)
        if conference:
            work.put_conference(conference)

    try:
        await deps.store.transact(decide)
    except DocumentsRefused as refused:
        _log_refusal(refused)
        await _required(deps).take_out_of_conference(record, erasure)


async def _erase_in(session_id: str, erasure: Erasure, deps: Deps) -> Erasure:
    """Take the person out of a class meeting and of its conferences, in one commit with its marks.

    Of a class meeting that is too large for one commit, or whose conferences are not all kept any more, the person is
    taken out in small ones, and no mark is computed: the others keep theirs.
    """
    await _keep_guests(session_id, erasure, deps)
    attendees = dict.fromkeys(erasure.attendees, erasure.person)

    async def decide(work: Work) -> bool | None:
        work.also_erase(attendees)
        session = await work.session(session_id)
        if session is None:
            return False
        records = _records(session)
        await work.load(conferences=records)
        before = await deps.store.reader().session(session_id)
        conferences = [await work.conference(record) for record in records]
        for conference in conferences:
            if conference is None:
                return None
            work.put_conference(conference)
        now = deps.clock()
        planned = to_follow(before, session, now=now) if before else session
        changed = {session_id: planned} if planned is not session else None
        await mark(work, [session_id], rules=deps.rules, now=now, changed=changed)
        return planned is not session

    async with deps.turns.of(session_id):
        try:
            follows, changes = await deps.store.transact(decide)
        except DocumentsRefused as refused:
            _log_refusal(refused)
            return await _take_out(session_id, erasure, deps)
    if follows is None:
        return await _take_out(session_id, erasure, deps)
    if follows:
        await deps.jobs.publish([Job(FOLLOW, {"session_id": session_id})])
    change = changes.get(session_id)
    gone = change.deleted & erasure.attendees if change else frozenset()
    return _counted(_counted(erasure, "sessions", 1), "attendance", len(gone))


async def _take_out(session_id: str, erasure: Erasure, deps: Deps) -> Erasure:
    """Take the person out of a class meeting and of each of its conferences, one after the other."""
    erasures = _required(deps)
    session = await deps.store.reader().session(session_id)
    for record in _records(session) if session else ():
        await erasures.take_out_of_conference(record, erasure)
    gone = await erasures.take_out(session_id, erasure)
    if session and session.plan.calendar:
        await deps.jobs.publish([Job(FOLLOW, {"session_id": session_id})])
    return _counted(_counted(erasure, "sessions", 1), "attendance", gone)


def _log_refusal(refused: DocumentsRefused) -> None:
    log.warning("erasure.refused", extra={"reason": refused.reason, "detail": refused.message})


async def _keep_guests(session_id: str, erasure: Erasure, deps: Deps) -> None:
    """Keep guests without an account, who were assigned to the person in a class meeting, from being stored again.

    Meet goes on naming them, by what they typed. A guest with an account is that account's owner again.
    """
    reader = deps.store.reader()
    session = await reader.session(session_id)
    if session is None:
        return
    erased = await _required(deps).everybody(erasure)
    corrections = await reader.corrections(session_id)
    assigned = [c for c in corrections if isinstance(c, Assignment) and c.user is None and erased.about(c)]
    ids = {correction.attendee_id for correction in assigned}
    if not ids:
        return
    found = set()
    for record in _records(session):
        conference = await reader.conference(record)
        for participant in conference.snapshot.participants if conference and conference.snapshot else ():
            if attendee_id(session_id, participant.name) in ids:
                found.add(Name(NameKind.PARTICIPANT, participant.name))
    await _required(deps).keep(erasure, frozenset(found))


def _records(session: ClassSession) -> list[str]:
    attached = (record.conference_record for record in session.plan.attached)
    return list(dict.fromkeys([*session.conference_records, *attached]))


def _counted(erasure: Erasure, kind: str, number: int) -> Erasure:
    if not number:
        return erasure
    return replace(erasure, done={**erasure.done, kind: erasure.done.get(kind, 0) + number})
