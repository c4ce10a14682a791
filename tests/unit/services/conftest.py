"""A school in memory with a class from nine to ten: Ada and Bob are expected."""

import pytest

from functions.domain.classes.timetable import Room, Slot
from functions.domain.conferences.model import Organizer
from tests.builders import ADA, BOB, EMAILS, EVERYBODY, TEACHER, expected, lesson
from tests.in_memory import (
    ClockInMemory,
    DirectoryInMemory,
    Documents,
    JobsInMemory,
    MeetInMemory,
    School,
    StoreInMemory,
)


@pytest.fixture
def school():
    maths = lesson(roster=expected(ADA, BOB), listed=None)
    policy, scheduled = maths.plan.policy, maths.plan.scheduled
    room = Room(
        "spaces/room",
        owner=Organizer(TEACHER, EMAILS[TEACHER]),
        slots=(Slot("maths", scheduled, policy.open_before, policy.open_after),),
    )
    clock = ClockInMemory(61)
    return School(
        clock,
        StoreInMemory(Documents(sessions={"maths": maths}, rooms={room.space: room})),
        MeetInMemory(clock),
        DirectoryInMemory({user: person.identity for user, person in EVERYBODY.items()}),
        JobsInMemory(),
    )
