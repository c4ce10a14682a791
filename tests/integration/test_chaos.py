"""A short day on which everything goes wrong; `make chaos` runs long ones."""

import asyncio
import itertools
from typing import Any

import httpx
import pytest

from infra.local.chaos.compare import differences
from infra.local.chaos.google import emulators, serve
from infra.local.chaos.run import Plan, prove
from infra.local.chaos.told import not_told
from infra.local.chaos.truth import against_the_truth
from infra.local.chaos.world import EVENING, GIVERS, TAKERS, make_world
from tests.builders import NINE


@pytest.mark.timeout(400)  # real processes are killed and restarted one after the other
def test_a_day_on_which_everything_goes_wrong_gives_the_documents_of_an_undisturbed_one(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "")  # it is set below, and restored afterwards
    with emulators(tmp_path) as using:
        outcome = asyncio.run(prove(Plan(seed=7, conferences=25, seconds=12, instances=1), using, folder=tmp_path))

    assert outcome.wrong == []
    assert outcome.documents > 100
    assert {
        "instances killed",
        "events that came again",
        "times that Firestore stood still",
        "accounts renamed",
        "seconds of one teacher's dead credentials",
        "seconds without second pages",
    } <= outcome.injected.keys()


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        ({"state": "ended", "sync_state": "complete"}, []),
        ({"state": "ended", "sync_state": "provisional"}, ["sessions/s"]),
        (None, ["sessions/s"]),
    ],
)
def test_a_class_meeting_whose_end_nobody_was_told_of_is_named(told, wrong):
    person = {"session_id": "s", "session_state": "ended", "sync_state": "complete"}
    stored = {"sessions/s": {"session_id": "s"}, "sessions/empty": {}, "sessions/s/attendance/a": person}

    found = not_told(stored, {"s": told} if told else {})

    assert [sentence.split(" ")[0] for sentence in found] == wrong


def test_a_seed_makes_the_same_day_each_time_and_another_seed_another_one():
    days = [make_world(seed, now=NINE, conferences=30) for seed in (3, 3, 4)]

    assert days[0] == days[1]
    assert days[0] != days[2]


def test_a_room_holds_one_conference_at_a_time():
    for room in (day := make_world(5, now=NINE, conferences=60)).rooms:
        held = sorted((one.start, one.end) for one in day.conferences if one.space == room.name)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(held))


async def test_a_call_that_google_would_refuse_is_reported_at_the_end_of_a_run():
    async with serve(make_world(3, now=NINE, conferences=5)) as google:
        async with httpx.AsyncClient() as client:
            await client.get(f"{google.apis.endpoint}/v1/people:batchGet?nonsense=1")

        assert [told for told in google.refused() if "nonsense" in told]
        assert google.refused() == []


def test_the_class_after_the_renaming_names_pupils_by_the_addresses_that_they_have_then():
    day = make_world(3, now=NINE, conferences=30)
    (evening,) = [lesson for lesson in day.lessons if lesson.external_id == EVENING]
    request: Any = day.request(evening)
    named = {student["student_id"]: student["email"] for student in request["students"]}

    for giver, taker in zip(GIVERS, TAKERS, strict=True):
        assert named[day.pupils[giver].user.removeprefix("users/")] == f"pupil{giver}@new.example"
        assert named[day.pupils[taker].user.removeprefix("users/")] == f"pupil{giver}@school.example"
    assert day.lost >= {f"pupil{giver}@school.example" for giver in GIVERS}


def documents_of(day, *, but_for=None, mark="absent"):
    """Return the documents after a day with correct marks for all accounts except one."""
    found = {}
    for number, lesson in enumerate(day.lessons):
        there = {
            attendee.user
            for conference in day.conferences
            if conference.space == lesson.room.name
            for attendee in conference.attendees
            if any(visit.start < lesson.end and visit.end > lesson.start for visit in attendee.visits)
        }
        found[f"sessions/s{number}"] = {"external_id": lesson.external_id, "state": "ended"}
        for pupil in lesson.pupils:
            status = mark if pupil.user == but_for else "present" if pupil.user in there else "absent"
            fields = {"student_id": pupil.user.removeprefix("users/"), "user": None, "role": "student"}
            found[f"sessions/s{number}/attendance/{fields['student_id']}"] = fields | {"status": status}
    return found


def test_marks_are_held_against_who_was_there():
    day = make_world(3, now=NINE, conferences=30)
    pupil = day.pupils[GIVERS[0]]

    assert against_the_truth(day, documents_of(day)) == []
    assert against_the_truth(day, documents_of(day, but_for=pupil.user, mark="unknown"))


def test_a_pupil_who_is_taken_for_a_guest_or_a_stranger_who_is_taken_for_a_pupil_is_reported():
    day = make_world(3, now=NINE, conferences=30)
    pupil, stranger = day.lessons[0].pupils[0].user, day.strangers[0].user
    guest = {"student_id": None, "user": pupil, "role": "guest", "status": None}
    other = {"student_id": "7", "user": stranger, "role": "student", "status": "present"}

    for wrong in (guest, other):
        assert against_the_truth(day, documents_of(day) | {"sessions/s0/attendance/more": wrong})


@pytest.mark.parametrize(
    ("calm", "shaken", "differ"),
    [
        ({"status": "present"}, {"status": "absent"}, True),
        ({"updated_at": NINE}, {"updated_at": None}, False),
        ({"due_at": NINE}, {"due_at": None}, True),
        ({"due_at": NINE}, {"due_at": NINE.replace(hour=10)}, False),
        ({"tracking": "active"}, {"tracking": "failed", "tracking_hint": "Try again."}, False),
        ({"tracking": "active"}, {"tracking": None}, True),
        ({"emails": ["new@x", "old@x"]}, {"emails": ["new@x"]}, False),
        ({"emails": ["new@x", "other@x"]}, {"emails": ["new@x"]}, True),
        ({"otherwise": {"s": {"emails": ["a@x"], "name": "A"}}}, {"otherwise": {}}, True),
    ],
)
def test_two_runs_may_differ_in_times_and_lost_addresses_and_not_in_marks(calm, shaken, differ):
    found = differences({"a/b": calm}, {"a/b": shaken}, lost=["old@x"])

    assert bool(found) is differ
