"""The calls to Meet for a conference or a class meeting, and the stored part of the answers."""

import asyncio
import contextlib
import gc
from dataclasses import replace
from typing import Any

import pytest

from functions.domain.classes.roster import RosterEntry
from functions.domain.classes.timetable import Slot
from functions.domain.conferences.model import Organizer, Reading, SyncError, SyncSource
from functions.domain.errors import AccessDenied, ConferenceRecordGone, Unavailable
from functions.ports.google import Listing, no_events
from functions.services.sync.identities import identify
from functions.services.sync.meet.gather import gather_conference, gather_session
from functions.services.sync.meet.gathered import Request
from functions.services.sync.meet.reading import stored_conference
from tests.builders import ADA, BOB, RECORD, TEACHER, TEACHING, at, call, during, guest, lesson, snapshot
from tests.builders import participant as somebody
from tests.in_memory import ReaderInMemory

SECOND_CALL = "conferenceRecords/second"


def the_call(*, start=0, end=60, name=RECORD):
    people = [somebody(user, (start, end), record=name) for user in (TEACHING, ADA, BOB)]
    return snapshot(*people, start=start, end=end, name=name)


async def gather(school, record=RECORD, *, source=SyncSource.EVENT, reader=None):
    """Gather data as for an event that arrives now."""
    deps, reader = school.deps, reader or school.store.reader()
    request = Request(record, Organizer(TEACHER), deps.clock(), source)
    stored, organizer = await stored_conference(request, reader, deps)
    return await gather_conference(
        request, stored, organizer, reader, asked_at=deps.clock(), events=no_events, deps=deps
    )


async def gather_class(school, *, strict=False, full=False, source=SyncSource.RECONCILE):
    reader = school.store.reader()
    session = await reader.session("maths")
    return await gather_session(session, reader, source=source, strict=strict, full=full, deps=school.deps)


def store(school, conference):
    school.store.documents.conferences[conference.conference_record] = conference


async def test_a_conference_is_read_whole_and_the_other_calls_of_its_room_are_listed(school):
    school.meet.calls = {RECORD: the_call(end=20), SECOND_CALL: the_call(start=25, name=SECOND_CALL)}

    gathered = await gather(school)

    assert {name: outcome.snapshot for name, outcome in gathered.outcomes.items()} == school.meet.calls
    assert school.meet.listed == ["spaces/room"]
    assert gathered.session_ids == ("maths",)


async def test_the_calls_of_the_room_are_listed_while_meet_is_still_asked_for_participants(school):
    school.meet.calls = {RECORD: the_call()}
    school.meet.waits_for_list = True

    async with asyncio.timeout(10):
        gathered = await gather(school)

    assert school.meet.listed == ["spaces/room"], "once"
    assert [record.name for record in gathered.looks["spaces/room"].listing.records] == [RECORD]


class WatchedReader(ReaderInMemory):
    """Notes which people are read, and that they are forgotten."""

    def __init__(self, documents):
        super().__init__(documents)
        self.people_read = asyncio.Event()
        self.loaded = []
        self.expected = frozenset()

    def expect_known_by(self, emails):
        self.expected |= emails

    async def load(self, **wanted):
        if users := sorted(wanted.get("people", ())):
            self.loaded.append(users)
            self.people_read.set()

    def forget(self, **wanted):
        if wanted.get("people", ()) is None:
            self.loaded.append("forgotten")


async def test_what_is_stored_about_people_is_read_while_meet_is_still_asked_for_sessions(school):
    school.meet.calls = {RECORD: the_call()}
    reader: Any = WatchedReader(school.store.documents)
    school.meet.waits_for_people = reader.people_read

    async with asyncio.timeout(10):
        gathered = await gather(school, reader=reader)

    assert reader.loaded == [sorted([TEACHER, "users/2", "users/3"])]
    assert gathered.people_read_at == at(61)


async def test_who_is_erased_is_read_while_meet_is_asked_also_if_nobody_has_an_account(school):
    """So it is known how old this is, and it is read again after a long reading like people are."""
    school.meet.calls = {RECORD: snapshot(somebody(guest("Gil"), (0, 60)))}

    gathered = await gather(school)

    assert gathered.people_read_at == at(61)


@pytest.mark.parametrize(("seconds", "again"), [(3, []), (4, ["forgotten"])])
async def test_people_are_read_again_if_meet_was_asked_for_long_after_they_were_read(school, seconds, again):
    school.meet.calls = {RECORD: the_call()}
    reader: Any = WatchedReader(school.store.documents)
    gathered = await gather(school, reader=reader)
    reader.loaded.clear()
    school.clock.minutes += seconds / 60

    await identify(gathered, reader, school.deps)

    assert reader.loaded[: len(again)] == again
    assert reader.loaded[len(again)] == sorted([TEACHER, "users/2", "users/3"])


async def test_the_accounts_of_those_who_are_missing_are_looked_for_once_it_is_known_who_was_there(school):
    school.meet.calls = {RECORD: the_call()}
    reader: Any = WatchedReader(school.store.documents)
    gathered = await gather(school, reader=reader)
    session = gathered.sessions["maths"]
    roster = (*session.plan.roster, RosterEntry(email="missing@school.example"))
    gathered.sessions["maths"] = replace(session, plan=replace(session.plan, roster=roster))

    await identify(gathered, reader, school.deps)

    assert "missing@school.example" in reader.expected


async def test_a_room_is_listed_again_if_its_calls_could_not_be_listed_early(school):
    school.meet.calls = {RECORD: the_call()}
    school.meet.failing_lists = 1
    school.meet.waits_for_list = True

    gathered = await gather(school)

    assert school.meet.listed == ["spaces/room", "spaces/room"]
    assert isinstance(gathered.looks["spaces/room"].listing, Listing)


async def test_a_list_that_goes_on_when_the_conference_cannot_be_read_is_cancelled(school):
    school.meet.calls = {RECORD: the_call()}
    school.meet.refuses[RECORD] = (Unavailable("Meet does not answer."), 0)
    school.meet.waits_for_list = True
    school.meet.list_takes_forever = True

    with pytest.raises(Unavailable):
        await gather(school)

    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_programming_error_in_the_early_list_is_logged_if_the_conference_cannot_be_read_either(school):
    school.meet.calls = {RECORD: the_call()}
    school.meet.refuses = {RECORD: (Unavailable("Meet does not answer."), 0), "spaces/room": (KeyError("bug"), 0)}
    school.meet.waits_for_list = True
    logged = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: logged.append(type(about["exception"])))

    with contextlib.suppress(Unavailable):
        await gather(school)
    school.meet.refuses.clear()  # the errors refer to the task
    gc.collect()

    assert logged == [KeyError]


async def test_a_programming_error_in_the_early_list_is_raised_if_the_conference_was_read(school):
    school.meet.calls = {RECORD: the_call()}
    school.meet.refuses = {"spaces/room": (KeyError("bug"), 0)}
    school.meet.waits_for_list = True

    with pytest.raises(KeyError):
        await gather(school)


async def test_a_room_is_listed_again_if_the_conference_turns_out_to_belong_to_further_classes(school):
    rooms, next_one = school.store.documents.rooms, lesson(session_id="physics", start=60, end=120, listed=None)
    slot = Slot("physics", next_one.plan.scheduled, next_one.plan.policy.open_before, next_one.plan.policy.open_after)
    rooms["spaces/room"] = replace(rooms["spaces/room"], slots=(*rooms["spaces/room"].slots, slot))
    school.store.documents.sessions["physics"] = next_one
    school.meet.calls = {RECORD: the_call(end=110)}
    school.meet.shown_first = {RECORD: the_call(end=40).record}
    school.meet.waits_for_list = True
    school.clock.minutes = 115

    gathered = await gather(school)

    assert set(gathered.session_ids) == {"maths", "physics"}
    assert gathered.looks["spaces/room"].reach == during(-26 * 60, 240)


async def test_a_conference_that_no_class_was_scheduled_for_is_read_alone(school):
    school.meet.calls = {RECORD: the_call(start=300, end=330)}

    gathered = await gather(school)

    assert list(gathered.outcomes) == [RECORD]
    assert school.meet.listed == []
    assert gathered.session_ids == ("abc",)


async def test_meet_is_not_asked_for_a_call_that_was_read_for_good(school):
    school.meet.calls = {RECORD: the_call()}
    store(school, call((ADA, (0, 60)), pulled=80))
    school.clock.minutes = 90

    gathered = await gather_class(school)

    assert gathered.outcomes == {}
    assert school.meet.read_records == []


async def test_a_call_that_was_read_for_good_is_read_again_if_all_is_wanted(school):
    school.meet.calls = {RECORD: the_call()}
    store(school, call((ADA, (0, 60)), pulled=80))
    school.clock.minutes = 90

    gathered = await gather_class(school, full=True, source=SyncSource.MANUAL)

    assert list(gathered.outcomes) == [RECORD]
    assert len(school.meet.asked_for) == 3


async def test_a_listing_is_asked_for_from_a_day_before_the_class_to_two_hours_after_it(school):
    school.meet.calls = {RECORD: the_call(start=-1500, end=-1490), SECOND_CALL: the_call(start=181, end=182)}

    gathered = await gather_class(school)

    assert gathered.looks["spaces/room"].reach == during(-26 * 60, 180)
    assert [record.start_time for record in gathered.looks["spaces/room"].listing.records] == [at(-1500)]
    assert gathered.outcomes == {}, "yesterday's call is not the class's"


async def test_what_was_read_before_meet_stopped_answering_is_not_asked_for_again(school):
    school.meet.calls = {RECORD: the_call()}
    school.meet.refuses = {RECORD: (Unavailable("Meet did not answer."), 2)}
    school.clock.minutes = 70

    with pytest.raises(Unavailable):
        await gather(school)

    first, second = school.meet.asked_for
    school.meet.refuses, school.meet.asked_for = {}, []
    school.clock.minutes = 75
    gathered = await gather(school)

    (last,) = school.meet.asked_for
    assert {first, second, last} == {participant.name for participant in the_call().participants}
    assert gathered.outcomes[RECORD].snapshot == the_call()


async def test_nothing_is_marked_by_a_reading_that_stopped_half_way(school):
    school.meet.calls = {RECORD: the_call()}
    school.meet.refuses = {RECORD: (Unavailable("Meet did not answer."), 2)}

    with pytest.raises(Unavailable):
        await gather(school)

    assert school.store.documents.attendance == {}
    assert school.store.documents.conferences[RECORD].snapshot is None


async def test_one_call_that_meet_does_not_answer_for_now_does_not_lose_the_others(school):
    school.meet.calls = {RECORD: the_call(end=20), SECOND_CALL: the_call(start=25, name=SECOND_CALL)}
    school.meet.refuses = {RECORD: (Unavailable("Meet did not answer."), 0)}

    gathered = await gather_class(school)

    assert list(gathered.outcomes) == [SECOND_CALL]
    assert isinstance(gathered.later, Unavailable)


async def test_strictly_the_first_call_that_meet_does_not_answer_for_ends_it(school):
    school.meet.calls = {RECORD: the_call()}
    school.meet.refuses = {RECORD: (Unavailable("Meet did not answer."), 1)}

    with pytest.raises(Unavailable):
        await gather_class(school, strict=True)

    assert school.store.documents.conferences == {}


async def test_a_refusal_that_a_person_must_fix_is_kept_with_the_call(school):
    school.meet.calls = {RECORD: the_call()}
    school.meet.refuses = {RECORD: (AccessDenied("Meet refuses access.", hint="Ask the teacher."), 0)}

    gathered = await gather(school)

    assert gathered.outcomes[RECORD] == SyncError("needs-operator", "Meet refuses access.", "Ask the teacher.", at(61))


async def test_a_room_whose_calls_cannot_be_listed_keeps_the_reason(school):
    school.meet.refuses = {"spaces/room": (AccessDenied("Meet refuses access."), 0)}

    gathered = await gather_class(school)

    assert gathered.looks["spaces/room"].listing.reason == "needs-operator"
    assert gathered.outcomes == {}


async def test_a_call_that_is_gone_when_it_is_read_does_not_end_the_reading_of_its_class(school):
    school.meet.calls = {RECORD: the_call(end=20), SECOND_CALL: the_call(start=25, name=SECOND_CALL)}
    school.meet.refuses = {RECORD: (ConferenceRecordGone("Meet does not have it."), 0)}

    gathered = await gather_class(school)

    assert isinstance(gathered.outcomes[RECORD], SyncError)
    assert isinstance(gathered.outcomes[SECOND_CALL], Reading)


async def test_a_conference_that_meet_does_not_have_is_an_error(school):
    with pytest.raises(ConferenceRecordGone):
        await gather(school)
