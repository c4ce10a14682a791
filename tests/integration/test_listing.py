"""Conference records are listed to the last page, by the official client over the network."""

from datetime import UTC, datetime, timedelta

import grpc
import pytest

from functions.domain.conferences.model import Organizer
from functions.domain.errors import AccessDenied, Unavailable
from infra.local.faults import Fault
from infra.local.school import Conference

STATUS = grpc.StatusCode
TEACHER = Organizer(user="users/1")
MORNING = datetime.now(UTC).replace(microsecond=123456) - timedelta(days=3)


def held(number, *, space="spaces/room", organizer="users/1", minutes=10):
    start = MORNING + timedelta(minutes=15 * number)
    return Conference(
        id=f"c{number}",
        space=space,
        meeting_code="abc-mnop-xyz" if space == "spaces/room" else "def-mnop-xyz",
        organizer=organizer,
        start=start,
        end=start + timedelta(minutes=minutes) if minutes else None,
    )


def start(number):
    return MORNING + timedelta(minutes=15 * number)


async def listed(app, *, space=None, since=MORNING, until=None):
    listing = await app.deps.conferences.list(space=space, since=since, until=until, organizer=TEACHER)
    return [record.name.removeprefix("conferenceRecords/c") for record in listing.records]


async def test_every_page_is_read_and_the_oldest_comes_first(app, school, meet):
    for number in range(230):
        school.hold(held(number))

    assert await listed(app) == [str(number) for number in range(230)]
    assert meet.calls.by_method() == {"ListConferenceRecords": 3}


async def test_conferences_of_a_space_are_those_that_began_in_the_time_limits_included(app, school):
    for number in range(6):
        school.hold(held(number, space="spaces/room" if number != 3 else "spaces/other"))

    assert await listed(app, space="spaces/room", since=start(1), until=start(4)) == ["1", "2", "4"]


async def test_without_a_space_conferences_are_those_that_ended_since(app, school):
    """A conference that continues is listed when it has ended, even if it began long ago."""
    school.hold(held(0, minutes=600))
    school.hold(held(1))
    school.hold(held(2, space="spaces/other"))
    school.hold(held(3, minutes=None))

    assert await listed(app, since=start(2)) == ["0", "2"]


async def test_a_conference_that_somebody_else_organised_is_not_listed(app, school):
    school.hold(held(0))
    school.hold(held(1, organizer="users/2"))

    assert await listed(app) == ["0"]


async def test_a_record_says_what_happened(app, school):
    conference = held(0)
    school.hold(conference)

    listing = await app.deps.conferences.list(space=None, since=MORNING, until=None, organizer=TEACHER)

    (record,) = listing.records
    assert (record.name, record.space) == (conference.name, "spaces/room")
    assert (record.start_time, record.end_time) == (conference.start, conference.end)


async def test_the_listing_began_before_meet_was_first_asked(app, school, meet):
    """Conferences that begin while pages are read may be missing, so the next listing starts there."""
    school.hold(held(0))

    listing = await app.deps.conferences.list(space=None, since=MORNING, until=None, organizer=TEACHER)

    assert listing.began_at <= meet.calls[0].at


async def test_a_page_that_fails_for_a_while_is_asked_for_again(app, school, meet):
    for number in range(150):
        school.hold(held(number))
    meet.faults.set(Fault("ListConferenceRecords", status=STATUS.RESOURCE_EXHAUSTED, page=2, times=1))

    assert len(await listed(app)) == 150


@pytest.mark.parametrize(
    ("status", "error"),
    [(STATUS.PERMISSION_DENIED, AccessDenied), (STATUS.INVALID_ARGUMENT, Unavailable)],
)
async def test_a_second_page_that_is_refused_gives_no_listing_at_all(app, school, meet, status, error):
    for number in range(150):
        school.hold(held(number))
    meet.faults.set(Fault("ListConferenceRecords", status=status, page=2))

    with pytest.raises(error):
        await listed(app)
