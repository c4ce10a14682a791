"""The fault plan, first alone and then with the official client."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.api_core import exceptions
from google.apps import meet_v2
from google.apps.meet_v2.services.conference_records_service.transports import (
    ConferenceRecordsServiceGrpcAsyncIOTransport,
)

from infra.local.faults import Fault, Faults, Request
from infra.local.meet import MeetSimulator
from infra.local.school import Attendee, Conference, School, Visit

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
DENIED = grpc.StatusCode.PERMISSION_DENIED
LIST = "ListParticipantSessions"
ATTENDEES = tuple(Attendee(f"p{place}", "anonymous", "Guest", visits=(Visit(NINE),)) for place in range(5))
LESSON = Conference("lesson", "spaces/room", "abc-mnop-xyz", "users/1", NINE, None, ATTENDEES)


def struck(faults, *requests):
    return [faults.strike(request) is not None for request in requests]


def sessions(place):
    return Request(LIST, f"{LESSON.name}/participants/p{place}")


@asynccontextmanager
async def records_with(*faults):
    school = School(lambda: NINE)
    school.hold(LESSON)
    simulator = MeetSimulator(school, faults=Faults(faults), page_size_cap=2)
    async with simulator, grpc.aio.insecure_channel(simulator.address) as channel:
        transport = ConferenceRecordsServiceGrpcAsyncIOTransport(channel=channel)
        yield simulator, meet_v2.ConferenceRecordsServiceAsyncClient(transport=transport)


def test_without_a_plan_nothing_fails():
    assert struck(Faults(), sessions(0)) == [False]


def test_a_fault_strikes_its_method_so_many_times():
    faults = Faults([Fault(LIST, EXHAUSTED, times=2)])

    assert struck(faults, Request("GetSpace"), *[sessions(0)] * 4) == [False, True, True, False, False]


def test_a_fault_can_be_bound_to_a_page_a_resource_and_a_caller():
    faults = Faults(
        [
            Fault(LIST, EXHAUSTED, page=2),
            Fault(LIST, EXHAUSTED, resource="p1"),
            Fault(LIST, DENIED, acting_as="users/1"),
        ]
    )
    requests = [sessions(0), sessions(0)._replace(page=2), sessions(1), sessions(0)._replace(acting_as="users/1")]

    assert struck(faults, *requests) == [False, True, True, True]


def test_a_share_of_the_calls_fails_and_the_seed_says_which():
    requests = [sessions(number) for number in range(1000)]
    plan = [Fault(LIST, EXHAUSTED, share=0.2)]
    outcome = struck(Faults(plan, seed=1), *requests)

    assert 150 < sum(outcome) < 250
    assert outcome == struck(Faults(plan, seed=1), *requests)
    assert outcome != struck(Faults(plan, seed=2), *requests)


def test_the_order_of_concurrent_calls_does_not_change_which_fail():
    requests = [sessions(number) for number in range(100)]
    plan = [Fault(LIST, EXHAUSTED, share=0.5)]
    forward = struck(Faults(plan, seed=1), *requests)
    backward = struck(Faults(plan, seed=1), *reversed(requests))

    assert forward == list(reversed(backward))


def test_a_request_fails_only_so_often_in_a_row():
    faults = Faults([Fault(LIST, EXHAUSTED, at_most_in_a_row=2)])

    assert struck(faults, *[sessions(0)] * 6) == [True, True, False, True, True, False]
    assert struck(faults, sessions(1)) == [True]


@pytest.mark.parametrize("seed", range(20))
def test_at_most_in_a_row_limits_a_share_as_well(seed):
    faults = Faults([Fault(LIST, EXHAUSTED, share=0.9, at_most_in_a_row=3)], seed)
    outcome = struck(faults, *[sessions(0)] * 100)

    assert "1111" not in "".join(str(int(one)) for one in outcome)


def test_a_plan_can_be_changed_and_lifted_while_it_runs():
    faults = Faults([Fault(LIST, EXHAUSTED)])
    other = Fault("GetSpace", DENIED)

    faults.set(other)
    assert list(faults) == [other]
    assert struck(faults, sessions(0), Request("GetSpace")) == [False, True]

    faults.clear()
    assert struck(faults, sessions(0), Request("GetSpace")) == [False, False]


@pytest.mark.parametrize(
    "fault", [{}, {"reason": "SERVICE_DISABLED", "drop": True}, {"status": grpc.StatusCode.OK}, {"times": 3}]
)
def test_a_fault_that_says_nothing_or_contradicts_itself_is_refused(fault):
    with pytest.raises(ValueError, match=r"fault|reason"):
        Fault(LIST, **fault)


@pytest.mark.parametrize("reason", ["SERVICE_DISABLED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"])
async def test_the_client_learns_the_reason_of_a_refusal(reason):
    async with records_with(Fault("GetConferenceRecord", DENIED, reason=reason)) as (_, records):
        with pytest.raises(exceptions.PermissionDenied) as refused:
            await records.get_conference_record(name=LESSON.name)

    assert refused.value.reason == reason
    assert refused.value.domain == "googleapis.com"
    assert refused.value.metadata == {"service": "meet.googleapis.com"}


async def test_a_status_without_a_reason_has_none():
    async with records_with(Fault("GetConferenceRecord", EXHAUSTED, times=1)) as (simulator, records):
        with pytest.raises(exceptions.ResourceExhausted) as refused:
            await records.get_conference_record(name=LESSON.name)
        assert (await records.get_conference_record(name=LESSON.name)).name == LESSON.name

    assert refused.value.reason is None
    assert [call.status for call in simulator.calls] == [EXHAUSTED, grpc.StatusCode.OK]


async def test_a_fault_on_the_second_page_lets_the_first_through():
    async with records_with(Fault("ListParticipants", EXHAUSTED, page=2)) as (simulator, records):
        pager = await records.list_participants(parent=LESSON.name)
        with pytest.raises(exceptions.ResourceExhausted):
            _ = [participant async for participant in pager]

    assert [(call.page, call.status) for call in simulator.calls] == [(1, grpc.StatusCode.OK), (2, EXHAUSTED)]


async def test_a_late_answer_is_still_the_right_one():
    late = Fault("GetConferenceRecord", delay=timedelta(milliseconds=20))
    loop = asyncio.get_running_loop()
    async with records_with(late) as (_, records):
        began = loop.time()
        record = await records.get_conference_record(name=LESSON.name)

        assert loop.time() - began >= 0.02
    assert record.name == LESSON.name


async def test_a_dropped_call_hangs_until_the_caller_gives_up():
    async with records_with(Fault("GetConferenceRecord", drop=True)) as (simulator, records):
        with pytest.raises(exceptions.DeadlineExceeded):
            await records.get_conference_record(name=LESSON.name, timeout=0.05, retry=None)

    assert [call.status for call in simulator.calls] == [grpc.StatusCode.CANCELLED]


async def test_the_client_itself_retries_only_a_service_that_is_unavailable():
    unavailable = Fault("GetConferenceRecord", grpc.StatusCode.UNAVAILABLE, times=1)
    async with records_with(unavailable) as (simulator, records):
        with pytest.raises(exceptions.ServiceUnavailable):
            await records.get_conference_record(name=LESSON.name, retry=None)

    assert len(simulator.calls) == 1


async def test_a_plan_made_while_calls_are_running_holds_for_the_next_call():
    async with records_with() as (simulator, records):
        await records.get_conference_record(name=LESSON.name)
        simulator.faults.set(Fault("GetConferenceRecord", DENIED))
        with pytest.raises(exceptions.PermissionDenied):
            await records.get_conference_record(name=LESSON.name)
