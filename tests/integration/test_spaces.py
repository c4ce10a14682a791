"""Rooms are made and found by the official client over the network."""

import grpc
import grpc.aio
import pytest
from google.apps import meet_v2
from google.apps.meet_v2.services.spaces_service.transports import SpacesServiceGrpcAsyncIOTransport

from functions.adapters.google.calls.pacing import Pacing
from functions.adapters.google.credentials.capabilities import AnonymousCredentials, CredentialsPool
from functions.adapters.google.meet.calls import MeetCalls
from functions.adapters.google.meet.spaces import MeetSpaces
from functions.domain.conferences.model import Organizer
from functions.domain.errors import AccessDenied, ApiDisabled, ScopeMissing, Unavailable
from infra.local.faults import Fault
from infra.local.school import Space

STATUS = grpc.StatusCode
TEACHER = Organizer(user="users/1", email="teacher@school.example")


@pytest.fixture
async def spaces(meet, school):
    school.know(TEACHER.email, TEACHER.user)
    school.open(Space("spaces/room", "abc-mnop-xyz"))
    async with grpc.aio.insecure_channel(meet.address) as channel:
        yield MeetSpaces(
            meet_v2.SpacesServiceAsyncClient(transport=SpacesServiceGrpcAsyncIOTransport(channel=channel)),
            calls=MeetCalls(Pacing(per_organizer=0, overall=0)),
            credentials=CredentialsPool(AnonymousCredentials),
        )


@pytest.mark.parametrize(
    "typed",
    [
        "abc-mnop-xyz",
        "ABC-MNOP-XYZ",
        "abcmnopxyz",
        "abc-mnopxyz",
        "  abc-mnop-xyz\n",
        "https://meet.google.com/abc-mnop-xyz",
        "http://meet.google.com/abc-mnop-xyz",
        "meet.google.com/abc-mnop-xyz",
        "https://meet.google.com/abc-mnop-xyz?authuser=0&hs=122",
        "https://meet.google.com/abc-mnop-xyz/",
        "HTTPS://Meet.Google.com/abc-mnop-xyz#x",
    ],
)
async def test_a_room_is_found_by_whatever_people_type_of_its_link(spaces, typed):
    found = await spaces.find(typed, teacher=TEACHER)

    assert (found.name, found.meeting_code) == ("spaces/room", "abc-mnop-xyz")
    assert found.meeting_uri == "https://meet.google.com/abc-mnop-xyz"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "abc",
        "abc-mnop-xy1",
        "abc-mnop",
        "abcd-mnopxyz",
        "abcmnopxyzz",
        "a-mnop-" + "x" * 122,
        "https://zoom.us/abc-mnop-xyz",
        "https://meet.google.com.evil.example/abc-mnop-xyz",
        "https://meet.google.com/lookup/abc",
        "spaces/room",
        "abc-mnop-xyz\u0430",
    ],
)
async def test_what_is_not_a_meeting_code_is_nobodys_room_and_asks_meet_nothing(spaces, meet, typed):
    assert await spaces.find(typed, teacher=TEACHER) is None
    assert not meet.calls


@pytest.mark.parametrize(
    "typed", ["ab-mnopq-xyzzy", "https://meet.google.com/ab-mnopq-xyzzy?authuser=1", "a-m-" + "x" * 124]
)
async def test_a_code_need_not_have_ten_letters(spaces, school, typed):
    """Google's reference: `[a-z]+-[a-z]+-[a-z]+`, at most 128 characters."""
    school.open(Space("spaces/other", "ab-mnopq-xyzzy"))
    school.open(Space("spaces/longest", "a-m-" + "x" * 124))

    assert (await spaces.find(typed, teacher=TEACHER)).name in {"spaces/other", "spaces/longest"}


@pytest.mark.parametrize("status", [STATUS.NOT_FOUND, STATUS.INVALID_ARGUMENT])
async def test_a_room_that_meet_does_not_know_is_not_found(spaces, meet, status):
    meet.faults.set(Fault("GetSpace", status=status))

    assert await spaces.find("abc-mnop-xyz", teacher=TEACHER) is None


@pytest.mark.parametrize("hides", [True, False])
async def test_a_code_of_no_room_finds_none_whatever_words_meet_uses(spaces, meet, hides):
    meet.hides_missing = hides

    assert await spaces.find("xxx-none-xxx", teacher=TEACHER) is None


async def test_a_room_is_asked_for_again_after_what_may_pass(spaces, meet):
    meet.faults.set(Fault("GetSpace", status=STATUS.UNAVAILABLE, times=1))

    assert (await spaces.find("abc-mnop-xyz", teacher=TEACHER)).name == "spaces/room"


async def test_a_room_that_is_not_shown_is_not_a_missing_room(spaces, meet):
    meet.faults.set(Fault("GetSpace", status=STATUS.PERMISSION_DENIED))

    with pytest.raises(AccessDenied):
        await spaces.find("abc-mnop-xyz", teacher=TEACHER)


async def test_a_room_that_was_made_is_found_by_its_code(spaces, meet):
    made = await spaces.create(teacher=TEACHER)

    assert made.meeting_uri == f"https://meet.google.com/{made.meeting_code}"
    assert await spaces.find(made.meeting_code, teacher=TEACHER) == made
    assert {call.acting_as for call in meet.calls} == {TEACHER.email}


async def test_each_call_makes_a_room_of_its_own(spaces):
    made = [await spaces.create(teacher=TEACHER) for _ in range(3)]

    assert len({space.name for space in made}) == len({space.meeting_code for space in made}) == 3


@pytest.mark.parametrize("status", [STATUS.UNAVAILABLE, STATUS.RESOURCE_EXHAUSTED])
async def test_making_a_room_is_tried_again_where_none_was_made(spaces, meet, status):
    meet.faults.set(Fault("CreateSpace", status=status, times=2))

    assert (await spaces.create(teacher=TEACHER)).name.startswith("spaces/")
    assert meet.calls.by_method() == {"CreateSpace": 3}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": STATUS.DEADLINE_EXCEEDED}, Unavailable),
        ({"status": STATUS.INTERNAL}, Unavailable),
        ({"status": STATUS.PERMISSION_DENIED}, AccessDenied),
        ({"status": STATUS.PERMISSION_DENIED, "reason": "SERVICE_DISABLED"}, ApiDisabled),
    ],
)
async def test_making_a_room_is_tried_once_where_one_may_have_been_made_or_never_will(spaces, meet, fault, error):
    meet.faults.set(Fault("CreateSpace", **fault))

    with pytest.raises(error):
        await spaces.create(teacher=TEACHER)

    assert meet.calls.by_method() == {"CreateSpace": 1}


async def test_a_caller_does_not_wait_long_for_a_room_that_cannot_be_made_now(spaces, meet):
    meet.faults.set(Fault("CreateSpace", status=STATUS.RESOURCE_EXHAUSTED))

    with pytest.raises(Unavailable):
        await spaces.create(teacher=TEACHER)

    assert meet.calls.by_method() == {"CreateSpace": 3}


async def test_a_missing_scope_is_named_as_the_one_that_makes_rooms(spaces, meet):
    meet.faults.set(Fault("CreateSpace", status=STATUS.PERMISSION_DENIED, reason="ACCESS_TOKEN_SCOPE_INSUFFICIENT"))

    with pytest.raises(ScopeMissing) as caught:
        await spaces.create(teacher=TEACHER)

    assert "meetings.space.created" in caught.value.hint
    assert "meetings.space.readonly" not in caught.value.hint
