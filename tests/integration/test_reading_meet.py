"""One whole conference is read by the official client over the network."""

import asyncio
import contextlib
from collections import Counter
from datetime import UTC, datetime, timedelta

import grpc.aio
import pytest
from google.apps import meet_v2
from google.apps.meet_v2.services.conference_records_service.transports import (
    ConferenceRecordsServiceGrpcAsyncIOTransport,
)
from google.apps.meet_v2.services.spaces_service.transports import SpacesServiceGrpcAsyncIOTransport

from functions.adapters.google.calls.pacing import Pacing
from functions.adapters.google.credentials.capabilities import AnonymousCredentials, Capability, CredentialsPool
from functions.adapters.google.meet.calls import MeetCalls
from functions.adapters.google.meet.conferences import MeetConferences
from functions.adapters.patience import Patience
from functions.domain.conferences.model import AnonymousUser, Organizer, PhoneUser, SignedInUser
from functions.domain.errors import (
    AccessDenied,
    ApiDisabled,
    ConferenceRecordGone,
    NotShown,
    RequestRefused,
    ScopeMissing,
    TokenNotAccepted,
    Unavailable,
)
from infra.local.classes import believable_class
from infra.local.faults import Fault
from infra.local.gate.calls import CallsRefused
from infra.local.meet import MeetSimulator
from infra.local.school import Attendee, Conference, Visit
from tests.builders import until

STATUS = grpc.StatusCode
LONG_AGO = datetime.now(UTC).replace(microsecond=123456) - timedelta(hours=3)
TEACHER = "users/1"


def held(*attendees, **about):
    return Conference(
        **{
            "id": "abc",
            "space": "spaces/room",
            "meeting_code": "abc-mnop-xyz",
            "organizer": TEACHER,
            "start": LONG_AGO,
            "end": LONG_AGO + timedelta(hours=1),
            "attendees": attendees,
            **about,
        }
    )


def somebody(number, *visits, name="Ada"):
    visits = visits or (Visit(LONG_AGO, LONG_AGO + timedelta(minutes=10)),)
    return Attendee(f"p{number}", "signed_in", name, f"users/{number}", visits)


def read(app, conference, organizer=TEACHER):
    return app.deps.conferences.read(conference.name, organizer=Organizer(user=organizer))


def session_count(reading):
    return sum(len(participant.sessions) for participant in reading.snapshot.participants)


async def test_every_page_of_participants_and_of_sessions_is_read(app, school, meet):
    """There are 600 people, and one of them joined 300 times: both are more than one page contains."""
    often = [Visit(LONG_AGO + timedelta(seconds=10 * n), LONG_AGO + timedelta(seconds=10 * n + 5)) for n in range(300)]
    conference = held(*(somebody(n) for n in range(2, 601)), somebody(601, *often))
    school.hold(conference)

    reading = await read(app, conference)

    assert len(reading.snapshot.participants) == 600
    assert session_count(reading) == 599 + 300
    assert reading.meet_calls == len(meet.calls) == 600 + 3 + 1 + 2
    assert meet.calls.by_method()["ListParticipants"] == 3


async def test_the_record_and_each_page_are_passed_on_before_the_sessions_are_read(app, school, meet):
    conference = held(*(somebody(n) for n in range(2, 302)))
    school.hold(conference)
    records, pages, asked_before = [], [], []

    def on_page(page):
        pages.append([participant.name for participant in page])
        asked_before.append(meet.calls.by_method()["ListParticipantSessions"])

    reading = await app.deps.conferences.read(
        conference.name, organizer=Organizer(user=TEACHER), on_record=records.append, on_page=on_page
    )

    assert records == [reading.snapshot.record]
    assert sorted(name for page in pages for name in page) == [p.name for p in reading.snapshot.participants]
    assert (len(pages), asked_before[0]) == (2, 0)


async def test_what_meet_says_is_what_happened(app, school):
    conference = believable_class(11, people=40, start=LONG_AGO, settled=True)
    school.hold(conference)

    reading = await read(app, conference, conference.organizer)

    said = {
        (participant.name, session.start_time, session.end_time)
        for participant in reading.snapshot.participants
        for session in participant.sessions
    }
    happened = {
        (f"{conference.name}/participants/{attendee.id}", visit.start, visit.end)
        for attendee in conference.attendees
        for visit in attendee.visits
    }
    assert said == happened
    assert reading.snapshot.space.meeting_code == conference.meeting_code
    assert (reading.snapshot.record.start_time, reading.snapshot.record.end_time) == (conference.start, conference.end)


async def test_every_kind_of_user_is_told_apart_even_without_a_name(app, school):
    conference = held(
        somebody(2, name=""),
        Attendee("p3", "anonymous", "", None, (Visit(LONG_AGO),)),
        Attendee("p4", "phone", "+49 ••• 12", None, (Visit(LONG_AGO),)),
    )
    school.hold(conference)

    participants = (await read(app, conference)).snapshot.participants

    assert [participant.user for participant in participants] == [
        SignedInUser("users/2", ""),
        AnonymousUser(""),
        PhoneUser("+49 ••• 12"),
    ]


async def test_a_display_name_is_bounded_and_of_one_line_before_anything_keeps_it(app, school):
    conference = held(
        somebody(2, name="x" * 10_000),
        somebody(3, name="<b>a</b>\x00\n\x1b[2J"),
        Attendee("p4", "anonymous", "B\x00o\u202e", None, (Visit(LONG_AGO),)),
        Attendee("p5", "phone", "+49\n12", None, (Visit(LONG_AGO),)),
    )
    school.hold(conference)

    names = [participant.user.display_name for participant in (await read(app, conference)).snapshot.participants]

    assert names == ["x" * 200, "<b>a</b> [2J", "Bo", "+49 12"]


async def test_open_ends_are_unknown_and_not_zero(app, school):
    conference = held(somebody(2, Visit(LONG_AGO)), end=None)
    school.hold(conference)

    snapshot = (await read(app, conference)).snapshot

    assert snapshot.record.end_time is None
    assert snapshot.participants[0].latest_end_time is None
    assert snapshot.participants[0].sessions[0].end_time is None


async def test_calls_are_made_as_the_organizer_by_email_where_known(app, school, meet):
    conference = held(somebody(2))
    school.hold(conference)
    school.know("teacher@school.example", TEACHER)
    await read(app, conference)
    await app.deps.conferences.read(conference.name, organizer=Organizer(TEACHER, "teacher@school.example"))

    assert Counter(call.acting_as for call in meet.calls) == {TEACHER: 4, "teacher@school.example": 4}


@pytest.mark.parametrize(
    "status",
    [
        STATUS.RESOURCE_EXHAUSTED,
        STATUS.UNAVAILABLE,
        STATUS.INTERNAL,
        STATUS.DEADLINE_EXCEEDED,
        STATUS.ABORTED,
        STATUS.CANCELLED,
    ],
)
async def test_what_may_pass_by_itself_is_asked_again(app, school, meet, status):
    conference = held(*(somebody(n) for n in range(2, 5)))
    school.hold(conference)
    meet.faults.set(*(Fault(method, status=status, times=2) for method in ("GetConferenceRecord", "ListParticipants")))

    reading = await read(app, conference)

    assert len(reading.snapshot.participants) == 3
    assert reading.meet_calls == 3 + 1 + 1 + 1 + 4


async def test_half_of_all_calls_refused_for_quota_cost_little_more_than_twice_the_calls(app, school, meet):
    conference = held(*(somebody(n) for n in range(2, 202)))
    school.hold(conference)
    meet.faults.set(
        *(
            Fault(method, status=STATUS.RESOURCE_EXHAUSTED, share=0.5, at_most_in_a_row=6)
            for method in ("GetConferenceRecord", "GetSpace", "ListParticipants", "ListParticipantSessions")
        )
    )

    reading = await read(app, conference)

    assert session_count(reading) == 200
    assert reading.meet_calls <= 2.5 * (200 + 3)


async def test_a_second_page_that_fails_for_good_gives_no_reading_at_all(school, meet):
    conference = held(*(somebody(n) for n in range(2, 302)))
    school.hold(conference)
    meet.faults.set(Fault("ListParticipants", status=STATUS.UNAVAILABLE, page=2))

    async with grpc.aio.insecure_channel(meet.address) as channel:
        impatient = MeetConferences(
            meet_v2.ConferenceRecordsServiceAsyncClient(
                transport=ConferenceRecordsServiceGrpcAsyncIOTransport(channel=channel)
            ),
            meet_v2.SpacesServiceAsyncClient(transport=SpacesServiceGrpcAsyncIOTransport(channel=channel)),
            calls=MeetCalls(Pacing(per_organizer=0, overall=0), attempts=2),
            credentials=CredentialsPool(AnonymousCredentials),
            clock=lambda: datetime.now(UTC),
        )
        with pytest.raises(Unavailable):
            await impatient.read(conference.name, organizer=Organizer(user=TEACHER))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("ListParticipants", status=STATUS.PERMISSION_DENIED, reason="SERVICE_DISABLED"), ApiDisabled),
        (
            Fault("ListParticipants", status=STATUS.PERMISSION_DENIED, reason="ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
            ScopeMissing,
        ),
        (Fault("ListParticipants", status=STATUS.PERMISSION_DENIED), AccessDenied),
        (Fault("GetConferenceRecord", status=STATUS.UNAUTHENTICATED), TokenNotAccepted),
        (Fault("GetConferenceRecord", status=STATUS.INVALID_ARGUMENT), RequestRefused),
        (Fault("GetConferenceRecord", status=STATUS.UNIMPLEMENTED), RequestRefused),
        (Fault("ListParticipants", status=STATUS.NOT_FOUND), ConferenceRecordGone),
        (Fault("ListParticipantSessions", status=STATUS.NOT_FOUND), Unavailable),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_refusal_is_named_and_not_repeated(app, school, meet, fault, error):
    conference = held(somebody(2))
    school.hold(conference)
    meet.faults.set(fault)

    with pytest.raises(error) as caught:
        await read(app, conference)

    assert type(caught.value) is error
    assert caught.value.hint
    assert meet.calls.by_method()[fault.method] == 1


@pytest.mark.parametrize(("hides", "error"), [(True, NotShown), (False, ConferenceRecordGone)])
async def test_a_conference_of_more_than_thirty_days_ago_is_gone(app, school, meet, hides, error):
    meet.hides_missing = hides
    old = datetime.now(UTC) - timedelta(days=31)
    conference = held(start=old, end=old + timedelta(hours=1))
    school.hold(conference)

    with pytest.raises(error):
        await read(app, conference)


async def test_a_conference_is_not_shown_to_a_teacher_who_did_not_organize_it(app, school):
    conference = held(somebody(2))
    school.hold(conference)

    with pytest.raises(AccessDenied):
        await read(app, conference, "users/999")


@pytest.mark.parametrize(
    "status", [STATUS.PERMISSION_DENIED, STATUS.NOT_FOUND, STATUS.INVALID_ARGUMENT, STATUS.UNAVAILABLE]
)
async def test_a_space_that_is_not_shown_costs_the_meeting_code_and_nothing_else(app, school, meet, status):
    conference = held(somebody(2))
    school.hold(conference)
    meet.faults.set(Fault("GetSpace", status=status))

    snapshot = (await read(app, conference)).snapshot

    assert (snapshot.space.name, snapshot.space.meeting_code) == ("spaces/room", None)
    assert len(snapshot.participants) == 1


async def test_credentials_that_die_before_the_room_is_asked_for_end_the_reading(app, school, meet):
    """Otherwise, the data until then would be stored permanently without the meeting code."""
    school.hold(conference := held(somebody(2)))
    meet.faults.set(Fault("GetSpace", status=STATUS.UNAUTHENTICATED))

    with pytest.raises(TokenNotAccepted):
        await read(app, conference)


async def test_somebody_who_joins_between_two_pages_makes_nobody_come_twice(app, school, meet):
    """Meet lists the newest participants first, so a new one moves the last participant of a page to the next page."""
    people = [
        somebody(n, Visit(LONG_AGO + timedelta(seconds=n), LONG_AGO + timedelta(minutes=30))) for n in range(2, 302)
    ]
    school.hold(held(*people))
    meet.faults.set(Fault("ListParticipants", STATUS.UNAVAILABLE, page=2, times=1))
    joined = asyncio.Event()

    async def until_joined(_):
        await joined.wait()

    with Patience(clock=lambda: 0.0, sleep=until_joined).started():
        reading = asyncio.create_task(read(app, held(*people)))
    await until(lambda: meet.calls.by_method()["ListParticipantSessions"] == 250)
    school.hold(held(*people, somebody(302, Visit(LONG_AGO + timedelta(seconds=400), LONG_AGO + timedelta(minutes=9)))))
    joined.set()
    names = [participant.name for participant in (await reading).snapshot.participants]

    assert len(names) == len(set(names)) == 300
    assert meet.calls.by_method()["ListParticipantSessions"] == 300


async def test_smaller_pages_than_asked_for_are_followed_too(school, meet, instance):
    conference = held(*(somebody(n) for n in range(2, 22)))
    school.hold(conference)
    async with type(meet)(school, page_size_cap=3) as stingy:
        app = instance(meet_api_endpoint=stingy.endpoint)

        assert len((await read(app, conference)).snapshot.participants) == 20


async def test_no_minute_sees_more_calls_than_the_ceiling(school, meet, instance):
    """The limit delays a reading, so it is still running when Meet has received that many calls."""
    app = instance(meet_reads_per_minute=10)
    conference = held(*(somebody(n) for n in range(2, 32)))
    school.hold(conference)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await read(app, conference)

    assert len(meet.calls) == 10


@pytest.mark.parametrize("method", ["ListParticipants", "ListParticipantSessions"])
async def test_a_page_token_that_has_expired_is_not_a_request_that_never_succeeds(app, school, meet, method):
    often = [Visit(LONG_AGO + timedelta(seconds=10 * n), LONG_AGO + timedelta(seconds=10 * n + 5)) for n in range(260)]
    conference = held(*(somebody(n) for n in range(2, 260)), somebody(260, *often))
    school.hold(conference)
    meet.faults.set(Fault(method, STATUS.INVALID_ARGUMENT, page=2, times=1))

    with pytest.raises(Unavailable):
        await read(app, conference)

    assert session_count(await read(app, conference)) == 258 + 260


async def test_a_list_of_records_whose_page_token_has_expired_is_asked_for_again_later(app, school, meet):
    for number in range(101):
        school.hold(held(id=f"abc{number}"))
    meet.faults.set(Fault("ListConferenceRecords", STATUS.INVALID_ARGUMENT, page=2))

    with pytest.raises(Unavailable):
        await app.deps.conferences.list(
            space="spaces/room", since=LONG_AGO, until=None, organizer=Organizer(user=TEACHER)
        )


async def test_a_page_of_any_size_is_taken(app, school):
    """There are 250 people with names of 20,000 characters: this is more than gRPC accepts by default."""
    conference = held(*(somebody(n, name="x" * 20_000) for n in range(2, 252)))
    school.hold(conference)

    async with asyncio.timeout(30):
        assert len((await read(app, conference)).snapshot.participants) == 250


@contextlib.asynccontextmanager
async def a_meet_that_answers(instance, **answers):
    """Return a function that makes an instance with a Meet that always gives these answers."""

    def always(answer):
        async def given(*_):
            return answer

        return given

    server = grpc.aio.server(
        handlers=[
            grpc.method_handlers_generic_handler(
                "google.apps.meet.v2.ConferenceRecordsService",
                {
                    name: grpc.unary_unary_rpc_method_handler(
                        always(answer), response_serializer=lambda message: type(message).serialize(message)
                    )
                    for name, answer in answers.items()
                },
            )
        ]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield instance(meet_api_endpoint=f"http://127.0.0.1:{port}")
    finally:
        await server.stop(0.1)


async def test_a_meet_that_repeats_the_same_page_forever_is_called_again_later(instance):
    record = held()
    answers = {
        "GetConferenceRecord": meet_v2.ConferenceRecord(name=record.name, start_time=record.start),
        "ListParticipants": meet_v2.ListParticipantsResponse(next_page_token="again"),  # noqa: S106 - of a page
    }
    async with a_meet_that_answers(instance, **answers) as app:
        with pytest.raises(Unavailable, match="same page"):
            async with asyncio.timeout(10):
                await read(app, record)


@pytest.mark.parametrize("without", ["record", "session"])
async def test_a_missing_time_stays_unknown(instance, without):
    record, name = held(), "conferenceRecords/abc/participants/1"
    begun = {"start_time": record.start}
    session = meet_v2.ParticipantSession(
        name=f"{name}/participantSessions/1", **({} if without == "session" else begun)
    )
    answers = {
        "GetConferenceRecord": meet_v2.ConferenceRecord(name=record.name, **({} if without == "record" else begun)),
        "ListParticipants": meet_v2.ListParticipantsResponse(participants=[meet_v2.Participant(name=name)]),
        "ListParticipantSessions": meet_v2.ListParticipantSessionsResponse(participant_sessions=[session]),
    }
    async with a_meet_that_answers(instance, **answers) as app:
        with pytest.raises(Unavailable, match="without a start time"):
            async with asyncio.timeout(10):
                await read(app, record)


async def test_sessions_are_asked_for_while_later_pages_are_still_to_come(app, school, meet):
    conference = held(*(somebody(n) for n in range(2, 302)))
    school.hold(conference)
    meet.faults.set(Fault("ListParticipants", page=2, drop=True))
    reading = asyncio.create_task(read(app, conference))

    await until(lambda: meet.calls.by_method()["ListParticipantSessions"] == 250)
    reading.cancel()


async def test_empty_pages_end_no_list(school, instance):
    conference = held(*(somebody(n) for n in range(2, 22)))
    school.hold(conference)
    async with MeetSimulator(school, page_size_cap=3, empty_pages=True) as sparse:
        app = instance(meet_api_endpoint=sparse.endpoint)

        assert len((await read(app, conference)).snapshot.participants) == 20


@pytest.mark.parametrize(
    "spoiled",
    [
        {"parent": "conferenceRecords/abc/"},
        {"page_size": -1},
        {"page_token": "another"},
        {"filter": 'latestEndTime > "2026-01-01T00:00:00Z"'},
    ],
    ids=lambda spoiled: next(iter(spoiled)),
)
async def test_a_request_that_google_would_refuse_fails_the_test_whatever_the_code_makes_of_it(school, spoiled):
    """Our errors for Google's errors do not contain the cause, so code may continue after them."""
    school.hold(held(somebody(2)))

    async def ask():
        async with MeetSimulator(school) as strict, grpc.aio.insecure_channel(strict.address) as channel:
            client = meet_v2.ConferenceRecordsServiceAsyncClient(
                transport=ConferenceRecordsServiceGrpcAsyncIOTransport(channel=channel)
            )
            call = MeetCalls(Pacing(per_organizer=0, overall=0)).as_organizer(
                TEACHER, AnonymousCredentials(Organizer(user=TEACHER), Capability.MEETINGS)
            )
            request = meet_v2.ListParticipantsRequest({"parent": "conferenceRecords/abc", **spoiled})
            with contextlib.suppress(RequestRefused):
                await call(client.list_participants, request)

    with pytest.raises(CallsRefused, match=next(iter(spoiled))):
        await ask()
