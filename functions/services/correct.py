"""What people decide about a class meeting: marks, who a guest is, the roster, the rules, further records.

Each decision is kept by itself, attendance is computed from it, and no sync ever touches it. Marks are computed again
from what is stored, without asking Meet, in the same commit.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from functions.domain import roster
from functions.domain.attendance import attendee_id as attendee_id_of
from functions.domain.attendance import students_of
from functions.domain.errors import AlreadyOnRoster, FieldError, InvalidRequest, NotFound
from functions.domain.etag import require_match
from functions.domain.model import Organizer, Reading, SyncSource
from functions.domain.roster import Assignment, Decision, Mark, Remembered, RoomDevice, RosterEntry, checked_roster
from functions.domain.sessions import (
    AttachedRecord,
    Attendance,
    AttendanceSheet,
    AuditEntry,
    Caller,
    ClassSession,
    Person,
    Role,
)
from functions.domain.syncing import after_reading
from functions.domain.timetable import Slot
from functions.ports import Job, Work
from functions.services.deps import Deps
from functions.services.marking import accounts, mark, place, rearrange
from functions.services.resolve_identities import resolve_identities

PersonT = TypeVar("PersonT", Person, Person | None)

Change = Callable[[Work, ClassSession, Decision], Awaitable["Changed"]]


@dataclass(frozen=True, slots=True)
class Changed:
    """What a decision changes.

    Attributes:
        session: The class meeting as it is planned now.
        touched: Further class meetings to be marked.
        references: Ids for the audit; None if nothing was changed.
        result: What the caller is told.
        accounts: Accounts that are remembered as another student's from now on, and the students of before and after.
    """

    session: ClassSession
    references: Mapping[str, str] | None = None
    touched: frozenset[str] = frozenset()
    result: tuple[str, ...] = ()
    accounts: tuple[RosterEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Override:
    """A wish for a student's mark; the student is named in one of three ways."""

    status: str
    reason: str | None = None
    student_id: str | None = None
    email: str | None = None
    attendee_id: str | None = None


async def set_overrides(
    session_id: str, overrides: Sequence[Override], *, by: str, caller: Caller, if_match: str | None, deps: Deps
) -> tuple[str, ...]:
    """Set marks by hand, all of them or none; from the scheduling on, before the class too.

    Returns:
        The attendee id of each.

    Raises:
        InvalidRequest: Somebody is nobody on the roster, or is named twice.
        NotFound, PreconditionFailed: Nothing was changed.
    """

    async def change(work: Work, session: ClassSession, decision: Decision) -> Changed:
        stored = await work.corrections(session_id)
        targets = _targets(session, overrides)
        done = False
        for override, entry in zip(overrides, targets, strict=True):
            attendee_id = attendee_id_of(session_id, entry.key)
            wanted = roster.Override(
                attendee_id, entry.student_id, entry.email, Mark(override.status), override.reason, decision
            )
            before = [o for o in stored if isinstance(o, roster.Override) and o.concerns(entry, attendee_id)]
            if any(_same(wanted, other) for other in before):
                continue
            for other in before:
                work.drop_correction(session_id, other)
            work.put_correction(session_id, wanted)
            done = True
        ids = tuple(attendee_id_of(session_id, entry.key) for entry in targets)
        return Changed(session, references={"overrides": str(len(ids))} if done else None, result=ids)

    return await _decide(session_id, change, what="override.set", by=by, caller=caller, if_match=if_match, deps=deps)


async def remove_override(
    session_id: str, attendee_id: str, *, by: str, caller: Caller, if_match: str | None, deps: Deps
) -> None:
    """Take a mark that was set by hand away; the one by the rules stands again.

    Raises:
        NotFound: There is no such class meeting, or no mark was set by hand for this person.
    """

    async def change(work: Work, session: ClassSession, _: Decision) -> Changed:
        entry = _students(session).get(attendee_id)
        found = [
            correction
            for correction in await work.corrections(session_id)
            if isinstance(correction, roster.Override) and correction.concerns(entry, attendee_id)
        ]
        if not found:
            raise NotFound("No mark was set by hand for this person.")
        for correction in found:
            work.drop_correction(session_id, correction)
        return Changed(session, references={"attendee_id": attendee_id})

    await _decide(session_id, change, what="override.removed", by=by, caller=caller, if_match=if_match, deps=deps)


async def assign(
    session_id: str,
    attendee_id: str,
    *,
    email: str | None,
    student_id: str | None,
    remember: bool | None,
    by: str,
    caller: Caller,
    if_match: str | None,
    deps: Deps,
) -> str:
    """This guest is that student: from now on they are one person, with the union of their times.

    Args:
        session_id: The class meeting.
        attendee_id: The guest, or a guest who was assigned before.
        email: The student's address on the roster, or
        student_id: the LMS's id of the student.
        remember: Whether the guest's account is this student in other class meetings too; by default for
            everybody who was signed in.
        by: Who decides, as the LMS says.
        caller: Who calls.
        if_match: The class meeting's entity tag as it was seen.
        deps: The outside world.

    Returns:
        The attendee id of the student's document.

    Raises:
        AlreadyOnRoster: The person is on the roster with this account, or is a teacher.
        InvalidRequest: The student is nobody on the roster.
        NotFound, PreconditionFailed: Nothing was changed.
    """

    async def change(work: Work, session: ClassSession, decision: Decision) -> Changed:
        guest = await _guest(work, session, attendee_id, deps)
        named = RosterEntry(email, student_id)
        entry = next(
            (e for e in _students(session).values() if e.is_named_by(student_id=student_id, email=email)), None
        )
        if entry is None:
            raise InvalidRequest.of(
                "student_id" if named.student_id else "email", "is nobody on this class meeting's roster"
            )
        result = (attendee_id_of(session_id, entry.key),)
        corrections = await work.corrections(session_id)
        before = next((c for c in corrections if isinstance(c, Assignment) and c.attendee_id == attendee_id), None)
        remembered = bool(guest.user) and remember is not False
        same = before and entry.is_named_by(student_id=before.student_id, email=before.email)
        if before and same and before.remembered == remembered:
            return Changed(session, result=result)
        person = await _person(work, guest.user)
        if before:
            person = _forgotten(person, before)
            work.drop_correction(session_id, before)
        for correction in corrections:
            if isinstance(correction, RoomDevice) and correction.attendee_id == attendee_id:
                work.drop_correction(session_id, correction)
        assignment = Assignment(
            attendee_id,
            entry.student_id,
            entry.email,
            decision,
            user=guest.user,
            remembered=remembered,
            remembered_before=person.student if person else None,
        )
        work.put_correction(session_id, assignment)
        if person:
            student = Remembered(entry.student_id, entry.email, decision.by, decision.at)
            work.put_person(dataclasses.replace(person, student=student) if remembered else person)
        return Changed(
            session,
            references={"attendee_id": attendee_id, "student": result[0]},
            result=result,
            accounts=_remembered_of(before, assignment),
        )

    (result,) = await _decide(
        session_id, change, what="guest.assigned", by=by, caller=caller, if_match=if_match, deps=deps
    )
    return result


async def unassign(
    session_id: str, attendee_id: str, *, by: str, caller: Caller, if_match: str | None, deps: Deps
) -> None:
    """Undo that a guest was taken for a student, or for a device in a room.

    Args:
        session_id: The class meeting.
        attendee_id: The guest's id, as it stands in `merged`; the student's id will do if only one guest is merged.
        by: Who decides, as the LMS says.
        caller: Who calls.
        if_match: The class meeting's entity tag as it was seen.
        deps: The outside world.

    Raises:
        NotFound: Nothing of the kind was decided about this person.
        InvalidRequest: Several guests are merged into this student.
    """

    async def change(work: Work, session: ClassSession, _: Decision) -> Changed:
        sheet = await _sheet(work, session_id, deps)
        guest_id = _merged_id(sheet, attendee_id)
        found = False
        forgotten: tuple[RosterEntry, ...] = ()
        for correction in await work.corrections(session_id):
            if isinstance(correction, Assignment | RoomDevice) and correction.attendee_id == guest_id:
                work.drop_correction(session_id, correction)
                found = True
                if isinstance(correction, Assignment):
                    forgotten = await _forget(work, correction)
        if not found:
            forgotten = await _forget_remembered(work, session, guest_id, deps)
        if not found and not forgotten:
            raise NotFound("This person was neither assigned to a student nor marked as a room device.")
        return Changed(session, references={"attendee_id": guest_id}, accounts=forgotten)

    await _decide(session_id, change, what="guest.unassigned", by=by, caller=caller, if_match=if_match, deps=deps)


async def mark_as_room(
    session_id: str, attendee_id: str, *, by: str, caller: Caller, if_match: str | None, deps: Deps
) -> None:
    """This guest is a device in a room, and counts for nothing.

    Raises:
        AlreadyOnRoster: The person is a student or a teacher.
        NotFound, PreconditionFailed: Nothing was changed.
    """

    async def change(work: Work, session: ClassSession, decision: Decision) -> Changed:
        await _guest(work, session, attendee_id, deps)
        corrections = await work.corrections(session_id)
        if any(isinstance(c, RoomDevice) and c.attendee_id == attendee_id for c in corrections):
            return Changed(session)
        forgotten: tuple[RosterEntry, ...] = ()
        for correction in corrections:
            if isinstance(correction, Assignment) and correction.attendee_id == attendee_id:
                work.drop_correction(session_id, correction)
                forgotten = await _forget(work, correction)
        work.put_correction(session_id, RoomDevice(attendee_id, decision))
        return Changed(session, references={"attendee_id": attendee_id}, accounts=forgotten)

    await _decide(session_id, change, what="room.marked", by=by, caller=caller, if_match=if_match, deps=deps)


async def attach_record(
    session_id: str,
    *,
    conference_record: str | None,
    from_session_id: str | None,
    by: str,
    caller: Caller,
    if_match: str | None,
    deps: Deps,
) -> str:
    """Make a conference record of any room part of a class meeting, whole: a substitute's room.

    One that is not stored yet is read from Meet as the class's teacher.

    Returns:
        The conference record's name.

    Raises:
        ConferenceRecordGone: Meet does not know it.
        InvalidRequest: `from_session_id` is a scheduled class.
        NotFound, PreconditionFailed, Retryable, NeedsOperator: Nothing was changed.
    """
    record = conference_record or f"conferenceRecords/{from_session_id}"
    reading = await _reading(session_id, record, from_session_id, deps)

    async def change(work: Work, session: ClassSession, decision: Decision) -> Changed:
        if session.plan.takes_place is None:
            raise InvalidRequest.of("session_id", "is no scheduled class meeting that takes place")
        now = deps.clock()
        conference = await work.conference(record)
        if conference is None and reading:
            organizer = Organizer(email=session.plan.teachers[0]) if session.plan.teachers else Organizer()
            conference = after_reading(
                None,
                reading,
                organizer=organizer,
                ended_event_at=None,
                source=SyncSource.MANUAL,
                settle=deps.rules.settle,
            )
        if conference is None:
            raise NotFound("There is no such conference record.")
        if any(attached.conference_record == record for attached in session.plan.attached):
            return Changed(session, result=(record,))
        attached_to = tuple(dict.fromkeys([*conference.attached_to, session_id]))
        touched = await place(work, dataclasses.replace(conference, attached_to=attached_to), now=now)
        attached = AttachedRecord(record, decision.by, decision.at)
        plan = dataclasses.replace(session.plan, attached=(*session.plan.attached, attached))
        return Changed(
            dataclasses.replace(session, plan=plan),
            references={"conference_record": record},
            touched=touched,
            result=(record,),
        )

    (result,) = await _decide(
        session_id, change, what="record.attached", by=by, caller=caller, if_match=if_match, deps=deps
    )
    return result


async def detach_record(
    session_id: str, conference_record_id: str, *, by: str, caller: Caller, if_match: str | None, deps: Deps
) -> None:
    """Undo that a conference record was made part of a class meeting: it belongs where its time says again.

    Raises:
        NotFound: It was not attached by hand.
    """
    record = f"conferenceRecords/{conference_record_id}"

    async def change(work: Work, session: ClassSession, _: Decision) -> Changed:
        left = tuple(attached for attached in session.plan.attached if attached.conference_record != record)
        if left == session.plan.attached:
            raise NotFound("This conference record was not attached to the class meeting by hand.")
        touched: frozenset[str] = frozenset()
        conference = await work.conference(record)
        if conference:
            others = tuple(other for other in conference.attached_to if other != session_id)
            detached = dataclasses.replace(conference, attached_to=others)
            touched = await place(work, detached, now=deps.clock())
        plan = dataclasses.replace(session.plan, attached=left)
        return Changed(
            dataclasses.replace(session, plan=plan), references={"conference_record": record}, touched=touched
        )

    await _decide(session_id, change, what="record.detached", by=by, caller=caller, if_match=if_match, deps=deps)


async def set_roster(
    session_id: str,
    students: tuple[RosterEntry, ...],
    *,
    by: str,
    caller: Caller,
    if_match: str | None,
    deps: Deps,
) -> None:
    """Replace who is expected in a class meeting.

    Raises:
        InvalidRequest: A student stands there twice.
        NotFound, PreconditionFailed: Nothing was changed.
    """
    checked = checked_roster(students)

    async def change(_: Work, session: ClassSession, __: Decision) -> Changed:
        return _with_roster(session, checked)

    await _decide(session_id, change, what="roster.set", by=by, caller=caller, if_match=if_match, deps=deps)


async def set_class_roster(
    class_id: str,
    students: tuple[RosterEntry, ...],
    *,
    since: datetime | None,
    by: str,
    caller: Caller,
    deps: Deps,
) -> tuple[str, ...]:
    """Replace who is expected in all meetings of a class that begin from a moment on; from now on by default.

    Students of another section in the same room stay. The class meetings are changed one after the other: if it
    fails on the way, asking for the same again completes it.

    Returns:
        Ids of the class meetings.

    Raises:
        InvalidRequest: A student stands there twice.
        NotFound: The class has no such meeting.
    """
    checked = checked_roster(students)
    session_ids = await deps.store.sessions_of_class(class_id, since=since or deps.clock())
    if not session_ids:
        raise NotFound("The class has no meeting from this moment on.")

    async def change(_: Work, session: ClassSession, __: Decision) -> Changed:
        own = session.plan.class_id
        others = [entry for entry in session.plan.roster if (entry.class_id or own) != class_id]
        theirs = [entry if own == class_id else dataclasses.replace(entry, class_id=class_id) for entry in checked]
        # Whoever stands in another section there has moved to this one.
        return _with_roster(session, (*theirs, *(o for o in others if not any(o.is_same_as(t) for t in theirs))))

    for session_id in session_ids:
        await _decide(session_id, change, what="roster.set", by=by, caller=caller, if_match=None, deps=deps)
    return tuple(session_ids)


async def set_policy(
    session_id: str, policy: Mapping[str, object], *, by: str, caller: Caller, if_match: str | None, deps: Deps
) -> None:
    """Replace a class meeting's rules: the school's own, with what is named here in their place.

    Raises:
        InvalidRequest: A field is unknown or has a value that it cannot have.
        NotFound, PreconditionFailed: Nothing was changed.
    """
    wanted = deps.rules.policy.changed(policy)

    async def change(work: Work, session: ClassSession, _: Decision) -> Changed:
        if wanted == session.plan.policy:
            return Changed(session)
        changed = dataclasses.replace(session, plan=dataclasses.replace(session.plan, policy=wanted))
        touched: frozenset[str] = frozenset()
        scheduled = session.plan.takes_place
        if scheduled:
            room = await work.room(session.space.name)
            slot = Slot(session_id, scheduled, wanted.open_before, wanted.open_after)
            touched = await rearrange(work, room.with_slot(slot), now=deps.clock())
        return Changed(changed, references={}, touched=touched)

    await _decide(session_id, change, what="policy.set", by=by, caller=caller, if_match=if_match, deps=deps)


async def _decide(
    session_id: str,
    change: Change,
    *,
    what: str,
    by: str,
    caller: Caller,
    if_match: str | None,
    deps: Deps,
) -> tuple[str, ...]:
    """Do what a person decided about a class meeting, in one commit with its marks and the audit."""
    entry_id = uuid.uuid4().hex
    decision = Decision(by, caller.email, deps.clock())

    async def decide(work: Work) -> Changed:
        session = await work.session(session_id)
        if session is None:
            raise NotFound("There is no such class meeting.")
        require_match(if_match, await work.updated_at(session_id))
        changed = await change(work, session, decision)
        if changed.references is not None:
            await mark(
                work,
                changed.touched,
                rules=deps.rules,
                now=deps.clock(),
                changed={session_id: changed.session},
            )
            references = {"session_id": session_id, **changed.references}
            work.note(AuditEntry(entry_id, by, caller.email, what, references, {}))
        return changed

    # Many marks are set at once, one call each: in this process they need not fight for the class meeting.
    async with deps.turns.of(f"decisions/{session_id}"):
        changed, _ = await deps.store.transact(decide)
    await _mark_elsewhere(changed.accounts, but=session_id, deps=deps)
    return changed.result


async def _mark_elsewhere(accounts: Iterable[RosterEntry], *, but: str, deps: Deps) -> None:
    """Have the other class meetings marked again that somebody was in who is remembered as another student now."""
    found = {session_id for account in accounts for session_id in await deps.store.sessions_of_person(account)}
    await deps.jobs.publish([Job("remark-session", {"session_id": name}) for name in sorted(found - {but})])


def _remembered_of(*assignments: Assignment | None) -> tuple[RosterEntry, ...]:
    """The account of assignments that are remembered, with the student of each."""
    remembered = (assignment for assignment in assignments if assignment and assignment.remembered)
    return tuple(RosterEntry(one.email, one.student_id, user=one.user) for one in remembered)


async def _forget(work: Work, assignment: Assignment) -> tuple[RosterEntry, ...]:
    """Let an account be again whoever it was before an assignment."""
    person = await _person(work, assignment.user)
    if person:
        work.put_person(_forgotten(person, assignment))
    return _remembered_of(assignment)


def _students(session: ClassSession) -> dict[str, RosterEntry]:
    """The students of a class meeting by attendee id."""
    return {attendee_id_of(session.session_id, entry.key): entry for entry in students_of(session)}


def _targets(session: ClassSession, overrides: Sequence[Override]) -> list[RosterEntry]:
    """The student that each override is about.

    Raises:
        InvalidRequest: Somebody is nobody on the roster, or is named twice; each is named by its place.
    """
    students = _students(session)
    targets: list[RosterEntry] = []
    problems: list[FieldError] = []
    for number, override in enumerate(overrides):
        found = students.get(override.attendee_id) if override.attendee_id else None
        if override.attendee_id is None:
            named = (
                e for e in students.values() if e.is_named_by(student_id=override.student_id, email=override.email)
            )
            found = next(named, None)
        if found is None:
            problems.append(FieldError(f"overrides.{number}", "is about nobody on this class meeting's roster"))
        elif found in targets:
            problems.append(FieldError(f"overrides.{number}", "is about a student who has one already"))
        else:
            targets.append(found)
    if problems:
        raise InvalidRequest(
            "Only students on the roster have marks.",
            errors=problems,
            hint="Put the student on the roster, or assign the guest to a student first.",
        )
    return targets


def _same(one: roster.Override, other: roster.Override) -> bool:
    """Whether two overrides say the same, whenever they were made."""
    return dataclasses.replace(one, decision=other.decision) == other and one.decision.by == other.decision.by


async def _sheet(work: Work, session_id: str, deps: Deps) -> AttendanceSheet:
    sheets = await mark(work, [session_id], rules=deps.rules, now=deps.clock())
    if session_id not in sheets:
        raise NotFound("There is no such class meeting.")
    return sheets[session_id]


async def _guest(work: Work, session: ClassSession, attendee_id: str, deps: Deps) -> Attendance:
    """A guest of a class meeting; also one who was assigned to a student, with nothing but the account."""
    sheet = await _sheet(work, session.session_id, deps)
    person = next((person for person in sheet.attendance if person.attendee_id == attendee_id), None)
    if person and person.role is Role.GUEST:
        return person
    merged = next((p for p in sheet.attendance if any(m.attendee_id == attendee_id for m in p.merged)), None)
    if merged:
        user = await _user_of(work, session, attendee_id, sheet)
        return dataclasses.replace(merged, attendee_id=attendee_id, user=user)
    if person:
        raise AlreadyOnRoster("This person is no guest of the class meeting.")
    raise NotFound("Nobody of this id was in the class meeting.")


async def _user_of(work: Work, session: ClassSession, attendee_id: str, sheet: AttendanceSheet) -> str | None:
    """The account of somebody who was in a class meeting, by the id of the account's own attendance."""
    conferences = [await work.conference(name) for name in sheet.session.conference_records]
    users = accounts(conference for conference in conferences if conference)
    return next((user for user in users if attendee_id_of(session.session_id, user) == attendee_id), None)


def _merged_id(sheet: AttendanceSheet, attendee_id: str) -> str:
    """The guest that an id means: itself, or the only one merged into a student."""
    person = next((person for person in sheet.attendance if person.attendee_id == attendee_id), None)
    if person is None or person.role is not Role.STUDENT:
        return attendee_id
    if len(person.merged) > 1:
        raise InvalidRequest.of("attendee_id", "is a student with several merged guests: name one of `merged`")
    return person.merged[0].attendee_id if person.merged else attendee_id


async def _person(work: Work, user: str | None) -> Person | None:
    if user is None:
        return None
    return (await work.people([user])).get(user, Person(user))


def _forgotten(person: PersonT, assignment: Assignment) -> PersonT:
    """The person as before an assignment, unless somebody has assigned the account anew since."""
    if person is None:
        return person
    made = assignment.decision
    if (
        not assignment.remembered
        or person.student is None
        or (person.student.by, person.student.at) != (made.by, made.at)
    ):
        return person
    return dataclasses.replace(person, student=assignment.remembered_before)


async def _forget_remembered(
    work: Work, session: ClassSession, attendee_id: str, deps: Deps
) -> tuple[RosterEntry, ...]:
    """Undo what is remembered of an account from another class meeting."""
    sheet = await _sheet(work, session.session_id, deps)
    user = await _user_of(work, session, attendee_id, sheet)
    person = await _person(work, user)
    if person is None or person.student is None:
        return ()
    work.put_person(dataclasses.replace(person, student=None))
    return (RosterEntry(person.student.email, person.student.student_id, user=user),)


async def _reading(session_id: str, record: str, from_session_id: str | None, deps: Deps) -> Reading | None:
    """What Meet says of a record that is not stored; None if it is."""

    async def load(work: Work) -> tuple[bool, Organizer]:
        session = await work.session(session_id)
        if session is None:
            raise NotFound("There is no such class meeting.")
        other = await work.session(from_session_id) if from_session_id else None
        if other and other.plan.scheduled:
            raise InvalidRequest.of("session_id", "is a scheduled class meeting: name its conference record")
        known = await work.conference(record)
        if from_session_id and known is None:
            raise NotFound("There is no such class meeting to attach.")
        teacher = Organizer(email=session.plan.teachers[0]) if session.plan.teachers else Organizer()
        return known is not None, teacher

    (stored, teacher), _ = await deps.store.transact(load)
    if stored:
        return None
    reading = await deps.conferences.read(record, organizer=teacher)
    users = [u for p in reading.snapshot.participants if (u := getattr(p.user, "user", None))]
    await resolve_identities(users, acting_as=teacher, deps=deps)
    return reading


def _with_roster(session: ClassSession, students: Iterable[RosterEntry]) -> Changed:
    wanted = tuple(students)
    if wanted == session.plan.roster:
        return Changed(session)
    plan = dataclasses.replace(session.plan, roster=wanted)
    return Changed(dataclasses.replace(session, plan=plan), references={"students": str(len(wanted))})
