"""Assign guests: to a student, or as a room device; and undo that."""

from __future__ import annotations

import dataclasses
from typing import TypeVar

from functions.domain.classes.roster import Assignment, Decision, Remembered, RoomDevice, RosterEntry
from functions.domain.classes.sessions import Attendance, AttendanceSheet, ClassSession, Person, Role
from functions.domain.errors import AlreadyOnRoster, AttendeeNotFound, InvalidRequest, NotFound, SessionNotFound
from functions.domain.marking.people import attendee_id as attendee_id_of
from functions.ports.store import Reader, Work
from functions.services.corrections.decisions import DecidedBy, DecisionEffect, carry_out, students_by_id
from functions.services.deps import Deps
from functions.services.sync.marking import accounts, compute

PersonT = TypeVar("PersonT", Person, Person | None)


async def assign(
    session_id: str,
    attendee_id: str,
    *,
    email: str | None,
    student_id: str | None,
    remember: bool | None,
    who: DecidedBy,
    deps: Deps,
) -> str:
    """Assign a guest to a student: from then on they are one person, with the union of their times.

    Args:
        session_id: The class meeting.
        attendee_id: The guest, or a guest who was assigned before.
        email: The student's address on the roster, or
        student_id: the LMS's id of the student.
        remember: Whether the guest's account is this student in other class meetings too; by default for
            everybody who was signed in.
        who: Who decides.
        deps: The outside world.

    Returns:
        The attendee id of the student's document.

    Raises:
        AlreadyOnRoster: The person is on the roster with this account, or is a teacher.
        InvalidRequest: The student is nobody on the roster.
        NotFound, PreconditionFailed: Nothing was changed.
    """

    async def change(work: Work, session: ClassSession, decision: Decision) -> DecisionEffect:
        guest = await _guest(work, session, attendee_id, deps)
        students = (await students_by_id(work, session, deps=deps)).values()
        entry = next((e for e in students if e.is_named_by(student_id=student_id, email=email)), None)
        if entry is None:
            raise InvalidRequest.of("student_id" if student_id else "email", "is not on this class meeting's roster")
        result = (attendee_id_of(session_id, entry.key),)
        corrections = await work.corrections(session_id)
        before = next((c for c in corrections if isinstance(c, Assignment) and c.attendee_id == attendee_id), None)
        remembered = bool(guest.user) and remember is not False
        same = before and entry.is_named_by(student_id=before.student_id, email=before.email)
        if before and same and before.remembered == remembered:
            return DecisionEffect(session, result=result)
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
        return DecisionEffect(
            session,
            references={"attendee_id": attendee_id, "student": result[0]},
            result=result,
            accounts=_remembered_of(before, assignment),
        )

    assigned = await carry_out(session_id, change, what="guest.assigned", who=who, deps=deps)
    return assigned.result[0]


async def unassign(session_id: str, attendee_id: str, *, who: DecidedBy, deps: Deps) -> None:
    """Undo the assignment of a guest to a student, or its mark as a room device.

    Args:
        session_id: The class meeting.
        attendee_id: The guest's id, as `merged` has it; the student's id will do if only one guest is merged.
        who: Who decides.
        deps: The outside world.

    Raises:
        NotFound: This person was neither assigned nor marked as a room device.
        InvalidRequest: Several guests are merged into this student.
    """

    async def change(work: Work, session: ClassSession, _: Decision) -> DecisionEffect:
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
        return DecisionEffect(session, references={"attendee_id": guest_id}, accounts=forgotten)

    await carry_out(session_id, change, what="guest.unassigned", who=who, deps=deps)


async def mark_as_room(session_id: str, attendee_id: str, *, who: DecidedBy, deps: Deps) -> None:
    """Mark a guest as a room device, which does not count as a person.

    Raises:
        AlreadyOnRoster: The person is a student or a teacher.
        NotFound, PreconditionFailed: Nothing was changed.
    """

    async def change(work: Work, session: ClassSession, decision: Decision) -> DecisionEffect:
        await _guest(work, session, attendee_id, deps)
        corrections = await work.corrections(session_id)
        if any(isinstance(c, RoomDevice) and c.attendee_id == attendee_id for c in corrections):
            return DecisionEffect(session)
        forgotten: tuple[RosterEntry, ...] = ()
        for correction in corrections:
            if isinstance(correction, Assignment) and correction.attendee_id == attendee_id:
                work.drop_correction(session_id, correction)
                forgotten = await _forget(work, correction)
        work.put_correction(session_id, RoomDevice(attendee_id, decision))
        return DecisionEffect(session, references={"attendee_id": attendee_id}, accounts=forgotten)

    await carry_out(session_id, change, what="room.marked", who=who, deps=deps)


def _remembered_of(*assignments: Assignment | None) -> tuple[RosterEntry, ...]:
    """The accounts of remembered assignments, with the student of each."""
    remembered = (assignment for assignment in assignments if assignment and assignment.remembered)
    return tuple(RosterEntry(one.email, one.student_id, user=one.user) for one in remembered)


async def _forget(work: Work, assignment: Assignment) -> tuple[RosterEntry, ...]:
    """Restore what was remembered about an account before an assignment."""
    person = await _person(work, assignment.user)
    if person:
        work.put_person(_forgotten(person, assignment))
    return _remembered_of(assignment)


async def _sheet(reader: Reader, session_id: str, deps: Deps) -> AttendanceSheet:
    """A class meeting with its present attendance, only for reading."""
    computed = await compute(reader, session_id, rules=deps.rules, now=deps.clock())
    if computed is None:
        raise SessionNotFound("No class meeting has this session_id.")
    return computed


async def _guest(reader: Reader, session: ClassSession, attendee_id: str, deps: Deps) -> Attendance:
    """A guest of a class meeting; for a guest who was assigned to a student, only with the account."""
    sheet = await _sheet(reader, session.session_id, deps)
    person = next((person for person in sheet.attendance if person.attendee_id == attendee_id), None)
    if person and person.role is Role.GUEST:
        return person
    merged = next((p for p in sheet.attendance if any(m.attendee_id == attendee_id for m in p.merged)), None)
    if merged:
        user = await _user_of(reader, session, attendee_id, sheet)
        return dataclasses.replace(merged, attendee_id=attendee_id, user=user)
    if person:
        raise AlreadyOnRoster("This person is already on the roster or teaches the class; only guests can be assigned.")
    raise AttendeeNotFound("Nobody in this class meeting has this attendee_id.")


async def _user_of(reader: Reader, session: ClassSession, attendee_id: str, sheet: AttendanceSheet) -> str | None:
    """The account of somebody who was in a class meeting, by the id of the account's own attendance."""
    conferences = [await reader.conference(name) for name in sheet.session.conference_records]
    users = accounts(conference for conference in conferences if conference)
    return next((user for user in users if attendee_id_of(session.session_id, user) == attendee_id), None)


def _merged_id(sheet: AttendanceSheet, attendee_id: str) -> str:
    """The guest of an id: the guest itself, or the only guest merged into a student."""
    person = next((person for person in sheet.attendance if person.attendee_id == attendee_id), None)
    if person is None or person.role is not Role.STUDENT:
        return attendee_id
    if len(person.merged) > 1:
        raise InvalidRequest.of(
            "attendee_id", "is a student with several merged guests: send the attendee_id of one guest in `merged`"
        )
    return person.merged[0].attendee_id if person.merged else attendee_id


async def _person(reader: Reader, user: str | None) -> Person | None:
    if user is None:
        return None
    return (await reader.people([user])).get(user, Person(user))


def _forgotten(person: PersonT, assignment: Assignment) -> PersonT:
    """The person as before an assignment, unless somebody has assigned the account again since."""
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
    """Undo what is remembered about an account from another class meeting."""
    sheet = await _sheet(work, session.session_id, deps)
    user = await _user_of(work, session, attendee_id, sheet)
    person = await _person(work, user)
    if person is None or person.student is None:
        return ()
    work.put_person(dataclasses.replace(person, student=None))
    return (RosterEntry(person.student.email, person.student.student_id, user=user),)
