"""The benchmark's Meet gives the same answers as the strict stand-in."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import grpc.aio
import pytest
from google.api_core import exceptions
from google.apps import meet_v2
from google.apps.meet_v2.services.conference_records_service.transports import (
    ConferenceRecordsServiceGrpcAsyncIOTransport,
)
from google.apps.meet_v2.services.spaces_service.transports import SpacesServiceGrpcAsyncIOTransport

from bench.conference.lean import CALLS, IN_A_ROW, Lean, answers, refusing
from bench.conference.services import running_meet
from infra.local.classes import believable_class
from infra.local.meet import MeetSimulator
from infra.local.school import School

START = datetime.now(UTC) - timedelta(hours=3)


async def told_of(address, conference):
    """Return all data that the system's clients request about a conference."""
    async with grpc.aio.insecure_channel(address) as channel:
        records = meet_v2.ConferenceRecordsServiceAsyncClient(
            transport=ConferenceRecordsServiceGrpcAsyncIOTransport(channel=channel)
        )
        spaces = meet_v2.SpacesServiceAsyncClient(transport=SpacesServiceGrpcAsyncIOTransport(channel=channel))
        request = meet_v2.ListConferenceRecordsRequest(page_size=100, filter=f'space.name = "{conference.space}"')
        participants = meet_v2.ListParticipantsRequest(parent=conference.name, page_size=250)
        people = [each async for each in await records.list_participants(participants)]
        sessions = {
            person.name: [each async for each in await records.list_participant_sessions(parent=person.name)]
            for person in people[::50]
        }
        return (
            await records.get_conference_record(name=conference.name),
            await spaces.get_space(name=conference.space),
            [each async for each in await records.list_conference_records(request)],
            people,
            sessions,
        )


async def test_the_lean_meet_answers_what_the_strict_stand_in_does():
    conference = believable_class(7, people=260, start=START)
    school = School(lambda: datetime.now(UTC))
    school.hold(conference)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Lean(answers([conference]), 0),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        lean = await told_of(f"127.0.0.1:{port}", conference)
    finally:
        await server.stop(grace=0)
    with MeetSimulator(school).in_thread() as meet:
        strict = await told_of(meet.address, conference)

    assert lean == strict
    assert len(lean[3]) == 260


async def test_the_lean_meet_refuses_as_it_is_told_and_counts():
    conference = believable_class(7, people=5, start=START)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Lean(answers([conference]), 0, refusing(1, seed=3)),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            spaces = meet_v2.SpacesServiceAsyncClient(transport=SpacesServiceGrpcAsyncIOTransport(channel=channel))
            statuses = []
            for _ in range(IN_A_ROW + 1):
                try:
                    await spaces.get_space(name=conference.space, retry=None)
                    statuses.append("OK")
                except exceptions.ResourceExhausted:
                    statuses.append("429")
            ask: Any = channel.unary_unary(CALLS)  # gRPC has no type for messages that it does not read
            told = json.loads(await ask(b""))
    finally:
        await server.stop(grace=0)

    assert statuses == ["429"] * IN_A_ROW + ["OK"]
    assert (told["calls"], told["refused"]) == ({"GetSpace": IN_A_ROW + 1}, IN_A_ROW)
    assert len(told["times"]) == IN_A_ROW + 1


def test_two_conferences_of_the_same_name_are_refused():
    conference = believable_class(7, people=5, start=START)
    other = believable_class(7, people=500, start=START)

    with pytest.raises(ValueError, match="the same name"), running_meet([conference, other], delay_ms=0):
        pass
