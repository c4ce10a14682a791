"""Erase a person everywhere, for good.

First the names are blocked from being stored again: the first commit stores their fingerprints in `erased/{HMAC}`,
and every unit of work leaves out people with these names. Then everything stored is searched, in parts of a few
documents each. `erasures/{id}` stores the progress, so a crash costs at most one part: the same call, the job, or
`sync-due` continues. Each part may be done twice.

A unit of work that began earlier may still store the person. So after `GRACE`, when no such unit can be left,
everything written meanwhile is searched once more, by the fingerprints alone.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping
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
"""After this time every unit of work that began before the names were blocked has ended: a function runs for 540 s."""

STALLED = timedelta(minutes=10)
"""An erasure without progress for this long was interrupted: `sync-due` continues it."""

CALL, SHIFT = timedelta(seconds=60), timedelta(seconds=240)
"""How long a call of the API, or of the jobs' function, works on an erasure before it leaves the rest to a job."""

AT_ONCE = 10
"""How many class meetings are marked again before the progress is stored."""

MOST_PARTS = 2000
"""How many parts one call does at most, so that it ends even if the clock does not move."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a call.

    Attributes:
        complete: Whether everything stored was searched; otherwise a job continues.
        dry_run: Whether nothing was changed.
        counts: How many documents of each kind were changed or deleted, or would be.
        left: How many accounts and addresses of the person stay, because other people have or had them too.
    """

    complete: bool
    dry_run: bool
    counts: Mapping[str, int] = field(default_factory=dict)
    left: int = 0


async def erase(name: str, *, dry_run: bool, caller: Caller, entry_id: str, deps: Deps) -> Outcome:
    """Erase the person with a `student_id`, an account or an address; an unfinished erasure is continued.

    Raises:
        PersonNotFound: No document has this name; nothing was written.
        PersonNotUnique: The name may mean several people; nothing was written.
        PersonTeaches: The person is a teacher here; nothing was written.
        AccountAssigned: Another student used an account of the person; nothing was written.
        ErasureNotSetUp: The key is missing, so the next reading would store the person again; nothing was written.
        Retryable: The store did not answer; the next call or `sync-due` does the rest.
    """
    erasures = _required(deps)
    erasure = await erasures.of(name)
    if erasure and not erasure.step.settling:
        # The first commit settled who is meant, and some of the documents that showed it may be gone.
        return await (_look(erasure, deps) if dry_run else _carry_on(erasure, for_at_most=CALL, deps=deps))
    subject = await erasures.find(name)
    if subject is None:
        raise PersonNotFound("Nothing is stored about a person with this student_id, account or address.")
    if dry_run:
        return await _look(subject, deps)
    # Once the other names are blocked, any unit of work may remove the assignment of the guest to the person.
    guests = [await _participants(session_id, {guest}, deps) for session_id, guest in sorted(subject.guests)]
    subject = replace(subject, names=subject.names.union(*guests))
    erasure = await erasures.begin(subject, AuditEntry(entry_id, None, caller.email, "student.erased", {}))
    return replace(await _carry_on(erasure, for_at_most=CALL, deps=deps), left=subject.left)


async def carry_on(erasure_id: str, *, deps: Deps) -> int:
    """Continue an erasure that a call left; nothing happens if it is finished.

    Returns:
        How many further jobs were published.
    """
    erasures = _required(deps)
    erasure = await erasures.get(erasure_id)
    if erasure is None:
        return 0
    outcome = await _carry_on(erasure, for_at_most=SHIFT, deps=deps)
    return 0 if outcome.complete else 1


async def carry_on_all(*, deps: Deps) -> int:
    """Publish a job for every erasure that was interrupted or must search again.

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


async def _look(who: Subject | Erasure, deps: Deps) -> Outcome:
    """What would be changed, as far as the time of a call allows. Nothing is written."""
    erasures, now = _required(deps), deps.clock()
    ends_at, sessions = now + CALL, set(who.sessions)
    attendance, left = (who.attendance, who.left) if isinstance(who, Subject) else (0, 0)
    counts: Counter[str] = Counter({"attendance": attendance})
    looked = Erasure("", "", who.names, (), who.attendees, Step.CONFERENCES, None, now, now)
    for _ in range(MOST_PARTS):
        if looked.step.settling or deps.clock() >= ends_at:
            break
        part = await erasures.part(looked, only_look=True)
        sessions |= set(part.sessions)
        counts[looked.step.value] += part.changed + len(part.conferences)
        looked = replace(looked, after=part.after, step=looked.step if part.after else looked.step.following)
    counts["sessions"] = len(sessions)
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
    """Whether there is nothing to do now."""
    settles_later = erasure.step is Step.SETTLE_SESSIONS and deps.clock() < erasure.begun_at + GRACE
    return erasure.step is Step.DONE or settles_later


async def _next(erasure: Erasure, deps: Deps) -> Erasure:
    """Do one part."""
    if erasure.step is Step.SESSIONS:
        return await _sessions(erasure, deps)
    erasures = _required(deps)
    part = await erasures.part(erasure, only_look=False)
    done = await _units_of_work(erasure, part, deps)
    step = erasure.step if part.after else erasure.step.following
    return await erasures.save(replace(done, after=part.after, step=step))


async def _sessions(erasure: Erasure, deps: Deps) -> Erasure:
    """Remove the person from some class meetings."""
    now, later = erasure.sessions[:AT_ONCE], erasure.sessions[AT_ONCE:]
    for session_id in now:
        erasure = await _erase_in(session_id, erasure, deps)
    return await _required(deps).save(
        replace(erasure, sessions=later, step=erasure.step if later else erasure.step.following)
    )


async def _units_of_work(erasure: Erasure, part: Part, deps: Deps) -> Erasure:
    """Store conferences and mark class meetings without the person."""
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

    await _required(deps).forget_events([record])
    try:
        await deps.store.transact(decide)
    except DocumentsRefused as refused:
        _log_refusal(refused)
        await _required(deps).take_out_of_conference(record, erasure)


async def _erase_in(session_id: str, erasure: Erasure, deps: Deps) -> Erasure:
    """Remove the person from a class meeting and its conferences, in one commit with the new marks.

    If the class meeting is too large for one commit, or some of its conferences are no longer stored, the person is
    removed in small commits. Then no mark is computed, so the others keep theirs.
    """
    await _keep_guests(session_id, erasure, deps)
    known = await deps.store.reader().session(session_id)
    await _required(deps).forget_events(_records(known) if known else ())
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
    """Remove the person from a class meeting and from each of its conferences, one after the other."""
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
    if ids := {correction.attendee_id for correction in assigned}:
        await _required(deps).keep(erasure, await _participants(session_id, ids, deps))


async def _participants(session_id: str, ids: Collection[str], deps: Deps) -> frozenset[Name]:
    """The names of the participants with some ids in a class meeting."""
    reader = deps.store.reader()
    session = await reader.session(session_id)
    found = set()
    for record in _records(session) if session else ():
        conference = await reader.conference(record)
        for participant in conference.snapshot.participants if conference and conference.snapshot else ():
            if attendee_id(session_id, participant.name) in ids:
                found.add(Name(NameKind.PARTICIPANT, participant.name))
    return frozenset(found)


def _records(session: ClassSession) -> list[str]:
    attached = (record.conference_record for record in session.plan.attached)
    return list(dict.fromkeys([*session.conference_records, *attached]))


def _counted(erasure: Erasure, kind: str, number: int) -> Erasure:
    if not number:
        return erasure
    return replace(erasure, done={**erasure.done, kind: erasure.done.get(kind, 0) + number})
