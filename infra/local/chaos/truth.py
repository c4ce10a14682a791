"""A comparison of marks with the accounts that were there, because an undisturbed run could also be wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from infra.local.chaos.world import Lesson, World

THERE = frozenset({"present", "late", "left_early", "partial"})


def against_the_truth(world: World, documents: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a sentence for every student whose attendance differs from who was in the room.

    Args:
        world: What happened.
        documents: The stored documents, by path.
    """
    sheets: dict[str, list[Mapping[str, Any]]] = {}
    for path, fields in documents.items():
        if path.startswith("sessions/") and path.split("/")[2:3] == ["attendance"]:
            sheets.setdefault(path.split("/")[1], []).append(fields)
    entered = {
        fields["external_id"]: (path.split("/")[1], fields)
        for path, fields in documents.items()
        if path.startswith("sessions/") and path.count("/") == 1 and fields.get("external_id")
    }
    wrong: list[str] = []
    for lesson in world.lessons:
        if lesson.external_id not in entered:
            wrong.append(f"the class {lesson.external_id} is not stored")
            continue
        session_id, session = entered[lesson.external_id]
        told = _wrong(world, lesson, sheets.get(session_id, []), held=session["state"] != "not_held")
        wrong += [f"sessions/{session_id} ({lesson.external_id}): {one}" for one in told]
    return wrong


def _wrong(world: World, lesson: Lesson, sheet: list[Mapping[str, Any]], *, held: bool) -> Iterator[str]:
    there = _there(world, lesson)
    marks = {fields["student_id"]: fields for fields in sheet if fields["role"] == "student"}
    for pupil in lesson.pupils:
        number = pupil.user.removeprefix("users/")
        fields = marks.pop(number, None)
        status = fields["status"] if fields else "missing"
        right = (THERE if pupil.user in there else {"absent"}) if held else {None}
        if status not in right:
            yield f"{number} was {'there' if pupil.user in there else 'not there'}, and is {status}"
        if fields and fields["user"] not in {None, pupil.user}:
            yield f"{number} is taken for the account {fields['user']}"
    for number in marks:
        yield f"{number} is a student of another class"
    for fields in sheet:
        expected = {pupil.user for pupil in lesson.pupils}
        if fields["role"] == "guest" and fields["user"] in expected:
            yield f"{fields['user']} is on the roster, and a guest"
        if fields["role"] == "teacher" and fields["user"] != lesson.teacher.user:
            yield f"{fields['user']} is taken for the teacher"


def _there(world: World, lesson: Lesson) -> frozenset[str]:
    """Return the accounts that were in the room at some time during the class."""
    return frozenset(
        attendee.user
        for conference in world.conferences
        if conference.space == lesson.room.name
        for attendee in conference.attendees
        if attendee.user
        for visit in attendee.visits
        if visit.start < lesson.end and (visit.end is None or visit.end > lesson.start)
    )
