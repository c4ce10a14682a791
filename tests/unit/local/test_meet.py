"""The simulated Meet with the official clients, over a loopback channel."""

import asyncio
import contextlib
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.api_core import exceptions
from google.apps import meet_v2
from google.apps.meet_v2.services.conference_records_service.transports import (
    ConferenceRecordsServiceGrpcAsyncIOTransport,
    ConferenceRecordsServiceGrpcTransport,
)
from google.apps.meet_v2.services.spaces_service.transports import SpacesServiceGrpcAsyncIOTransport

from infra.local.classes import believable_class
from infra.local.faults import Fault
from infra.local.gate.calls import CallsRefused
from infra.local.meet import MeetSimulator
from infra.local.school import Attendee, Conference, School, Space, Visit

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


def at(minute):
    return NINE + timedelta(minutes=minute)


LESSON = Conference(
    id="lesson",
    space="spaces/jQCFfuBOdN5z",
    meeting_code="abc-mnop-xyz",
    organizer="users/1",
    start=at(0),
    end=at(50),
    attendees=(
        Attendee("ada", "signed_in", "Ada", "users/2", (Visit(at(0), at(10)), Visit(at(20), at(50)))),
        Attendee("guest", "anonymous", "", visits=(Visit(at(30), at(50), settles=at(52)),)),
        Attendee("phone", "phone", "+49 ••• ••• 12", visits=(Visit(at(5), at(6)),)),
        Attendee("room", "signed_in", "Room 2.14", "users/9", (Visit(at(5)),)),
    ),
)
ADA = f"{LESSON.name}/participants/ada"


def crowd(people, sessions=1):
    visits = tuple(Visit(at(0) + timedelta(seconds=number), at(50)) for number in range(sessions))
    attendees = tuple(Attendee(f"p{place:04}", "anonymous", "Guest", visits=visits) for place in range(people))
    return replace(LESSON, attendees=attendees)


def meet(*conferences, now=NINE + timedelta(hours=2), people=None, **settings):
    school = School(lambda: now, people)
    for conference in conferences:
        school.hold(conference)
    return MeetSimulator(school, **settings)


@asynccontextmanager
async def records_of(simulator):
    async with simulator, grpc.aio.insecure_channel(simulator.address) as channel:
        transport = ConferenceRecordsServiceGrpcAsyncIOTransport(channel=channel)
        yield meet_v2.ConferenceRecordsServiceAsyncClient(transport=transport)


@asynccontextmanager
async def spaces_of(simulator):
    async with simulator, grpc.aio.insecure_channel(simulator.address) as channel:
        yield meet_v2.SpacesServiceAsyncClient(transport=SpacesServiceGrpcAsyncIOTransport(channel=channel))


def as_caller(name):
    return (("x-acting-as", name),)


async def names(pager):
    return [resource.name.rpartition("/")[2] async for resource in await pager]


async def test_a_conference_record_says_when_it_was_where_and_when_it_is_deleted():
    precise = replace(LESSON, start=at(0) + timedelta(microseconds=123_456))
    async with records_of(meet(precise)) as records:
        record = await records.get_conference_record(name=LESSON.name)

    assert record == meet_v2.ConferenceRecord(
        name=LESSON.name,
        start_time=precise.start,
        end_time=at(50),
        expire_time=at(50) + timedelta(days=30),
        space=LESSON.space,
    )


async def test_times_are_unset_while_something_is_open():
    async with records_of(meet(LESSON, now=at(30))) as records:
        record = await records.get_conference_record(name=LESSON.name)
        participant = await records.get_participant(name=ADA)
        session = await records.get_participant_session(name=f"{ADA}/participantSessions/2")

    assert record.start_time == at(0)
    assert (record.end_time, record.expire_time) == (None, None)
    assert participant.latest_end_time is None
    assert (session.start_time, session.end_time) == (at(20), None)


async def test_nothing_of_the_future_is_seen():
    async with records_of(meet(LESSON, replace(LESSON, id="next", start=at(60), end=at(90)), now=at(1))) as records:
        assert await names(records.list_conference_records()) == ["lesson"]
        assert await names(records.list_participants(parent=LESSON.name)) == ["ada"]
        assert await names(records.list_participant_sessions(parent=ADA)) == ["1"]
        with pytest.raises(exceptions.PermissionDenied):
            await records.get_conference_record(name="conferenceRecords/next")
        for call in (
            records.get_participant(name=f"{LESSON.name}/participants/guest"),
            records.list_participant_sessions(parent=f"{LESSON.name}/participants/guest"),
            records.get_participant_session(name=f"{ADA}/participantSessions/2"),
        ):
            with pytest.raises(exceptions.NotFound):
                await call


async def test_the_kind_of_user_is_set_even_when_its_name_is_empty():
    async with records_of(meet(LESSON)) as records:
        shown = [participant async for participant in await records.list_participants(parent=LESSON.name)]

    users = [(one.name[-5:], meet_v2.Participant.pb(one).WhichOneof("user")) for one in shown]
    assert users == [
        ("guest", "anonymous_user"),
        ("/room", "signedin_user"),
        ("phone", "phone_user"),
        ("s/ada", "signedin_user"),
    ]
    assert (shown[1].signedin_user.user, shown[1].latest_end_time) == ("users/9", None)
    assert (shown[2].phone_user.display_name, shown[2].latest_end_time) == ("+49 ••• ••• 12", at(6))
    assert (shown[3].earliest_start_time, shown[3].latest_end_time) == (at(0), at(50))


async def test_sessions_are_listed_newest_first():
    async with records_of(meet(LESSON)) as records:
        shown = [session async for session in await records.list_participant_sessions(parent=ADA)]

    assert [(one.name, one.start_time, one.end_time) for one in shown] == [
        (f"{ADA}/participantSessions/2", at(20), at(50)),
        (f"{ADA}/participantSessions/1", at(0), at(10)),
    ]


@pytest.mark.parametrize(
    ("asked", "sizes"), [(0, [100, 100, 100, 100, 100, 20]), (250, [250, 250, 20]), (9999, [250, 250, 20])]
)
async def test_participants_come_in_pages_of_100_and_at_most_250(asked, sizes):
    async with records_of(meet(crowd(520))) as records:
        request = meet_v2.ListParticipantsRequest(parent=LESSON.name, page_size=asked)
        pages = [page async for page in (await records.list_participants(request=request)).pages]

    assert [len(page.participants) for page in pages] == sizes
    listed = [participant.name for page in pages for participant in page.participants]
    assert listed == [f"{LESSON.name}/participants/p{place:04}" for place in reversed(range(520))]
    assert pages[-1].next_page_token == ""


async def test_sessions_come_in_pages_too():
    async with records_of(meet(crowd(1, sessions=260))) as records:
        parent = f"{LESSON.name}/participants/p0000"
        sizes = [
            [len(page.participant_sessions) async for page in (await records.list_participant_sessions(request)).pages]
            for request in ({"parent": parent}, {"parent": parent, "page_size": 1000})
        ]

    assert sizes == [[100, 100, 60], [250, 10]]


async def test_conference_records_come_in_pages_of_25_and_at_most_100():
    conferences = [replace(LESSON, id=f"c{number:03}", start=at(-number)) for number in range(130)]
    async with records_of(meet(*conferences)) as records:
        sizes = [
            [len(page.conference_records) async for page in (await records.list_conference_records(request)).pages]
            for request in ({}, {"page_size": 101})
        ]
        listed = await names(records.list_conference_records())

    assert sizes == [[25, 25, 25, 25, 25, 5], [100, 30]]
    assert listed == [conference.id for conference in conferences]


async def test_the_server_may_give_smaller_pages_than_asked():
    async with records_of(meet(crowd(5), page_size_cap=2)) as records:
        pager = await records.list_participants(request={"parent": LESSON.name, "page_size": 250})
        assert [len(page.participants) async for page in pager.pages] == [2, 2, 1]


async def test_a_page_token_is_refused_with_another_request_and_when_made_up():
    simulator = meet(crowd(3), replace(crowd(3), id="other"), page_size_cap=1)
    async with records_of(simulator) as records:
        first = (await records.list_participants(parent=LESSON.name)).next_page_token

        for request in (
            {"parent": "conferenceRecords/other", "page_token": first},
            {"parent": LESSON.name, "page_token": first, "filter": "latest_end_time IS NULL"},
            {"parent": LESSON.name, "page_token": first[:-4]},
            {"parent": LESSON.name, "page_token": "2"},
        ):
            with pytest.raises(exceptions.InvalidArgument):
                await records.list_participants(request)

        assert len(simulator.refusals.take()) == 4

        second = await records.list_participants({"parent": LESSON.name, "page_token": first, "page_size": 7})
        assert [one.name[-5:] for one in second.participants] == ["p0001"]


async def test_negative_page_sizes_are_refused():
    simulator = meet(LESSON)
    async with records_of(simulator) as records:
        for call in (
            records.list_conference_records({"page_size": -1}),
            records.list_participants({"parent": LESSON.name, "page_size": -1}),
            records.list_participant_sessions({"parent": ADA, "page_size": -1}),
        ):
            with pytest.raises(exceptions.InvalidArgument):
                await call
        assert len(simulator.refusals.take()) == 3


async def test_lists_are_filtered():
    other = replace(LESSON, id="other", space="spaces/other", meeting_code="zzz-zzzz-zzz", start=at(60), end=None)
    async with records_of(meet(LESSON, other)) as records:
        for condition, found in {
            'space.name = "spaces/other"': ["other"],
            'space.meeting_code = "abc-mnop-xyz"': ["lesson"],
            "end_time IS NULL": ["other"],
            'start_time>="2026-03-02T09:00:00.000Z" AND start_time<"2026-03-02T10:00:00Z"': ["lesson"],
            'end_time > "2026-03-02T09:50:00Z"': [],
        }.items():
            assert await names(records.list_conference_records({"filter": condition})) == found

        for condition, found in {
            "latest_end_time IS NULL": ["room"],
            'earliest_start_time > "2026-03-02T09:04:59Z" AND latest_end_time < "2026-03-02T09:30:00Z"': ["phone"],
        }.items():
            assert await names(records.list_participants({"parent": LESSON.name, "filter": condition})) == found

        sessions = {"parent": ADA, "filter": 'end_time <= "2026-03-02T09:10:00Z"'}
        assert await names(records.list_participant_sessions(sessions)) == ["1"]


@pytest.mark.parametrize("condition", ['startTime > "2026-03-02T09:00:00Z"', "start_time > 2026", "nonsense"])
async def test_filters_in_any_other_form_are_refused(condition):
    simulator = meet(LESSON)
    async with records_of(simulator) as records:
        for call in (
            records.list_conference_records({"filter": condition}),
            records.list_participants({"parent": LESSON.name, "filter": condition}),
            records.list_participant_sessions({"parent": ADA, "filter": condition}),
        ):
            with pytest.raises(exceptions.InvalidArgument):
                await call
        assert len(simulator.refusals.take()) == 3


async def test_a_record_is_gone_thirty_days_after_its_end():
    async with records_of(meet(LESSON, now=at(50) + timedelta(days=30))) as records:
        assert await names(records.list_conference_records()) == []
        with pytest.raises(exceptions.PermissionDenied, match=r"resource Conference \(or it might not exist\)"):
            await records.get_conference_record(name=LESSON.name)
        with pytest.raises(exceptions.PermissionDenied):
            await records.list_participant_sessions(parent=ADA)


async def test_what_is_not_there_can_be_answered_with_not_found():
    simulator = meet(LESSON)
    simulator.hides_missing = False
    async with records_of(simulator) as records:
        with pytest.raises(exceptions.NotFound):
            await records.get_conference_record(name="conferenceRecords/none")


async def test_malformed_resource_names_are_refused():
    simulator = meet(LESSON)
    async with records_of(simulator) as records:
        for call in (
            records.get_conference_record(name="lesson"),
            records.get_conference_record(name=""),
            records.list_participants(parent=f"{LESSON.name}/"),
            records.list_participants(parent=ADA),
            records.list_participant_sessions(parent=LESSON.name),
            records.get_participant_session(name=f"{ADA}/sessions/1"),
        ):
            with pytest.raises(exceptions.InvalidArgument):
                await call
        assert len(simulator.refusals.take()) == 6


async def test_the_organizer_and_those_who_came_may_read_and_nobody_else():
    simulator = meet(LESSON, people={"ada@school.example": "users/2"})
    async with records_of(simulator) as records:
        for caller in ("users/1", "users/2", "ada@school.example"):
            assert await names(records.list_participants(parent=LESSON.name, metadata=as_caller(caller)))
        for caller in ("users/3", "eve@school.example"):
            for call in (
                records.get_conference_record(name=LESSON.name, metadata=as_caller(caller)),
                records.list_participants(parent=LESSON.name, metadata=as_caller(caller)),
                records.get_participant(name=ADA, metadata=as_caller(caller)),
                records.list_participant_sessions(parent=ADA, metadata=as_caller(caller)),
            ):
                with pytest.raises(exceptions.PermissionDenied):
                    await call


async def test_access_need_not_be_checked():
    async with records_of(meet(LESSON, check_access=False)) as records:
        assert await names(records.list_participants(parent=LESSON.name, metadata=as_caller("users/3")))


async def test_conference_records_are_listed_for_their_organizer_only():
    simulator = meet(LESSON, replace(LESSON, id="hers", organizer="users/2"), people={"ada@school.example": "users/2"})
    async with records_of(simulator) as records:
        found = {
            caller: await names(records.list_conference_records(metadata=as_caller(caller)))
            for caller in ("users/1", "users/2", "ada@school.example", "eve@school.example")
        }

    assert found == {
        "users/1": ["lesson"],
        "users/2": ["hers"],
        "ada@school.example": ["hers"],
        "eve@school.example": [],
    }


@pytest.mark.parametrize("alias", ["jQCFfuBOdN5z", "abc-mnop-xyz", "ABC-MNOP-XYZ", "abcmnopxyz"])
async def test_a_space_is_found_by_its_name_and_by_its_meeting_code(alias):
    async with spaces_of(meet(LESSON, now=at(10))) as spaces:
        space = await spaces.get_space(name=f"spaces/{alias}")

    assert space == meet_v2.Space(
        name=LESSON.space,
        meeting_code="abc-mnop-xyz",
        meeting_uri="https://meet.google.com/abc-mnop-xyz",
        active_conference={"conference_record": LESSON.name},
    )


async def test_a_quiet_space_has_no_active_conference_and_an_unknown_one_is_not_shown():
    simulator = meet(LESSON)
    simulator.school.open(Space("spaces/empty", "eee-eeee-eee"))
    async with spaces_of(simulator) as spaces:
        assert "active_conference" not in await spaces.get_space(name=LESSON.space)
        assert (await spaces.get_space(name="spaces/eee-eeee-eee")).name == "spaces/empty"
        with pytest.raises(exceptions.PermissionDenied, match=r"resource Space \(or it might not exist\)"):
            await spaces.get_space(name="spaces/JQCFFUBODN5Z")
        with pytest.raises(exceptions.InvalidArgument):
            await spaces.get_space(name="abc-mnop-xyz")
        assert len(simulator.refusals.take()) == 1


async def test_every_call_is_on_record_with_its_page_caller_and_status():
    simulator = meet(crowd(3), page_size_cap=2)
    async with records_of(simulator) as records:
        await names(records.list_participants(parent=LESSON.name, metadata=as_caller("users/1")))
        with pytest.raises(exceptions.NotFound):
            await records.get_participant(name=ADA)

    calls = [(one.method, one.resource, one.page, one.acting_as, one.status) for one in simulator.calls]
    assert calls == [
        ("ListParticipants", LESSON.name, 1, "users/1", grpc.StatusCode.OK),
        ("ListParticipants", LESSON.name, 2, "users/1", grpc.StatusCode.OK),
        ("GetParticipant", ADA, 1, None, grpc.StatusCode.NOT_FOUND),
    ]
    assert simulator.calls.by_method() == {"ListParticipants": 2, "GetParticipant": 1}

    simulator.calls.clear()

    assert simulator.calls.by_method() == {}


async def test_a_call_is_answered_after_the_delay():
    simulator = meet(LESSON, delay=timedelta(milliseconds=20))
    loop = asyncio.get_running_loop()
    async with records_of(simulator) as records:
        began = loop.time()
        await records.get_conference_record(name=LESSON.name)

        assert loop.time() - began >= 0.02


async def test_hundreds_of_calls_at_once_are_all_answered():
    lesson = believable_class(7, people=300, start=NINE)
    async with records_of(meet(lesson)) as records:
        parents = [f"{lesson.name}/participants/{attendee.id}" for attendee in lesson.attendees]
        shown = await asyncio.gather(*(names(records.list_participant_sessions(parent=parent)) for parent in parents))

    assert [len(sessions) for sessions in shown] == [len(attendee.visits) for attendee in lesson.attendees]


def test_on_a_thread_it_serves_blocking_clients_and_sees_changes():
    simulator = meet(LESSON)
    with simulator.in_thread(), grpc.insecure_channel(simulator.address) as channel:
        transport = ConferenceRecordsServiceGrpcTransport(channel=channel)
        records = meet_v2.ConferenceRecordsServiceClient(transport=transport)
        before = [record.name for record in records.list_conference_records()]
        simulator.school.hold(replace(LESSON, id="another", start=at(60), end=at(70)))
        after = [record.name for record in records.list_conference_records()]

    assert before == ["conferenceRecords/lesson"]
    assert after == ["conferenceRecords/another", "conferenceRecords/lesson"]
    assert simulator.endpoint == f"http://{simulator.address}"


def test_a_taken_port_is_an_error():
    with meet().in_thread() as first:
        port = int(first.address.rpartition(":")[2])
        with pytest.raises(RuntimeError), meet().in_thread(port=port):
            pass


def test_there_is_no_address_before_the_start():
    with pytest.raises(RuntimeError, match="before it has started"):
        _ = meet().address


def test_as_a_command_it_says_where_it_is_and_what_it_holds_until_terminated():
    command = [sys.executable, "-m", "infra.local.meet", "--seed", "7", "--people", "9", "--delay-ms", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # our own module
        endpoint, name = (process.stdout.readline().strip() for _ in range(2))
        with grpc.insecure_channel(endpoint.removeprefix("http://")) as channel:
            transport = ConferenceRecordsServiceGrpcTransport(channel=channel)
            participants = list(
                meet_v2.ConferenceRecordsServiceClient(transport=transport).list_participants(parent=name)
            )
        process.terminate()

    assert len(participants) == 9
    assert process.returncode == 0


def test_as_a_command_it_says_so_where_its_port_is_taken():
    with meet().in_thread() as first:
        port = first.address.rpartition(":")[2]
        command = [sys.executable, "-m", "infra.local.meet", "--port", port]
        refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603  # ours

    assert refused.returncode == 1
    assert f"Port {port} of 127.0.0.1 cannot be used" in refused.stderr
    assert "Traceback" not in refused.stderr


# --- What Google would refuse ---


BARE = "/google.apps.meet.v2.ConferenceRecordsService/ListParticipants"
ROUTED = ("x-goog-request-params", f"parent={LESSON.name}")


async def bare(simulator, *metadata, seconds=10.0, **request):
    """Make a call without the client, because the client would correct the error."""
    async with grpc.aio.insecure_channel(simulator.address) as channel:
        message = meet_v2.ListParticipantsRequest.pb()(**{"parent": LESSON.name, **request})
        call = channel.unary_unary(
            BARE,
            request_serializer=type(message).SerializeToString,
            response_deserializer=meet_v2.ListParticipantsResponse.pb().FromString,
        )
        return await call(message, timeout=seconds, metadata=metadata)


@pytest.mark.parametrize(
    ("metadata", "seconds", "words"),
    [
        ([ROUTED], None, "no deadline"),
        ([], 10.0, "x-goog-request-params has not parent=conferenceRecords/lesson"),
        ([("x-goog-request-params", "parent=conferenceRecords/other")], 10.0, "cannot be routed"),
        ([ROUTED, ("x-goog-fieldmask", "participants.email")], 10.0, "'participants.email' names no field ('email')"),
        ([ROUTED, ("x-goog-fieldmask", "nextPageToken")], 10.0, "'nextPageToken' names no field"),
    ],
    ids=["no deadline", "not routed", "routed elsewhere", "a mask of a field that there is not", "a mask in camelCase"],
)
async def test_a_call_that_is_not_made_as_google_asks_is_refused_and_recorded(metadata, seconds, words):
    async with meet(LESSON) as simulator:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await bare(simulator, *metadata, seconds=seconds)
        recorded = simulator.refusals.take()

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert words in refused.value.details()
    assert words in str(recorded[0])


async def test_an_unexpected_refusal_makes_the_serving_program_fail():
    async def ask():
        async with records_of(meet(LESSON)) as records:
            with contextlib.suppress(exceptions.InvalidArgument):
                await records.list_participants(parent="lesson")

    with pytest.raises(CallsRefused, match="'parent': 'lesson' has not the form conferenceRecords"):
        await ask()


async def test_a_planned_refusal_causes_no_failure():
    simulator = meet(LESSON)
    simulator.faults.set(Fault("ListParticipants", grpc.StatusCode.INVALID_ARGUMENT))
    async with records_of(simulator) as records:
        with pytest.raises(exceptions.InvalidArgument):
            await records.list_participants(parent=LESSON.name)


async def test_a_field_mask_chooses_fields_and_the_total_size_comes_only_with_one():
    async with meet(LESSON) as simulator:
        plain = await bare(simulator, ROUTED)
        masked = await bare(simulator, ROUTED, ("x-goog-fieldmask", "participants.name,total_size"))

    assert (plain.total_size, len(plain.participants)) == (0, 4)
    assert (masked.total_size, masked.participants[0].name) == (4, f"{LESSON.name}/participants/guest")
    assert not masked.participants[0].HasField("earliest_start_time")


async def test_an_empty_page_does_not_end_a_list():
    async with records_of(meet(crowd(5), page_size_cap=2, empty_pages=True)) as records:
        pages = [page async for page in (await records.list_participants(parent=LESSON.name)).pages]

    assert [len(page.participants) for page in pages] == [2, 0, 2, 0, 1]


async def test_a_record_may_appear_late():
    late = replace(LESSON, appears=at(53))
    async with records_of(meet(late, now=at(52))) as records:
        with pytest.raises(exceptions.PermissionDenied):
            await records.get_conference_record(name=LESSON.name)
        assert await names(records.list_conference_records()) == []
    async with records_of(meet(late, now=at(53))) as records:
        assert (await records.get_conference_record(name=LESSON.name)).name == LESSON.name


class Tokens:
    """Tokens of the organizer; each token is named by its scopes."""

    def who(self, access_token):
        return "users/1", frozenset(f"https://www.googleapis.com/auth/{name}" for name in access_token.split("+"))


async def test_a_token_for_created_rooms_shows_only_rooms_that_this_application_made():
    simulator = meet(LESSON, tokens=Tokens())
    created, both = (
        [("authorization", f"Bearer {scopes}")]
        for scopes in ("meetings.space.created", "meetings.space.created+meetings.space.readonly")
    )
    async with records_of(simulator) as records:
        assert await names(records.list_conference_records(metadata=created)) == []
        assert await names(records.list_conference_records(metadata=both)) == ["lesson"]
        with pytest.raises(exceptions.PermissionDenied):
            await records.get_conference_record(name=LESSON.name, metadata=created)

    async with spaces_of(simulator) as spaces:
        own = await spaces.create_space(metadata=created)
        assert (await spaces.get_space(name=own.name, metadata=created)).name == own.name
        with pytest.raises(exceptions.PermissionDenied):
            await spaces.get_space(name=LESSON.space, metadata=created)


async def test_settings_show_a_room_and_no_conference_record():
    simulator = meet(LESSON, tokens=Tokens())
    settings = [("authorization", "Bearer meetings.space.settings")]
    async with records_of(simulator) as records:
        with pytest.raises(exceptions.PermissionDenied) as refused:
            await records.get_conference_record(name=LESSON.name, metadata=settings)

    assert refused.value.reason == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"


async def test_what_google_sets_itself_is_not_sent():
    simulator = meet(LESSON)
    async with spaces_of(simulator) as spaces:
        with pytest.raises(exceptions.InvalidArgument, match=r"space.meeting_code"):
            await spaces.create_space(space=meet_v2.Space(meeting_code="abc-mnop-xyz"))
        assert len(simulator.refusals.take()) == 1
