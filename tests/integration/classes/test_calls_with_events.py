"""How many calls to Meet a scheduled class costs when its joined and left events came."""

import asyncio

import pytest

from functions.domain.conferences.model import SessionsSource, SyncState
from infra.local.school import Attendee
from tests.classroom import event, held, job, marks, pupil, scheduled, teacher, told, visits

TWICE = ((0, 20), (21, 60))


@pytest.fixture
def app(instance, google, workspace_events):
    return instance(
        people_api_endpoint=google.endpoint,
        directory_api_endpoint=google.endpoint,
        workspace_events_api_endpoint=workspace_events.endpoint,
        api_callers="*=admin",
        pause=lambda _: asyncio.sleep(0),
    )


def a_class(made, *, people, rejoining):
    """A class of so many people, of whom the first pupils came twice."""
    others = [
        Attendee(f"g{n}", "anonymous", f"Guest {n}", None, visits(*(TWICE if n < rejoining else ((0, 60),))))
        for n in range(people - 3)
    ]
    return held(made["space"], made["meeting_code"], teacher((0, 60)), pupil(0, (0, 60)), pupil(1, (12, 60)), *others)


@pytest.mark.parametrize(("people", "rejoining", "most"), [(30, 2, 6), (500, 10, 16)])
async def test_only_those_who_came_again_are_asked_for(app, api, school, meet, people, rejoining, most):  # noqa: PLR0917
    made = await scheduled(api)
    conference = a_class(made, people=people, rejoining=rejoining)
    school.hold(conference)
    await told(app, conference)
    meet.calls.clear()

    recorded = await event(app, conference)

    assert len(meet.calls) <= most
    assert meet.calls.by_method()["ListParticipantSessions"] == rejoining
    assert recorded.conference.sync.sessions_source is SessionsSource.EVENTS
    assert recorded.conference.sync.state is SyncState.COMPLETE
    assert (await marks(api, made["session_id"])).items() >= {"punctual": "present", "late": "late"}.items()


async def test_a_second_read_asks_only_for_those_who_changed_or_came_again(app, api, school, meet):
    made = await scheduled(api)
    conference = a_class(made, people=30, rejoining=2)
    school.hold(conference)
    await told(app, conference)
    await event(app, conference)
    meet.calls.clear()

    await job(app, "sync-conference", conference_record=conference.name)

    # The room's meeting code is known from the first read.
    assert meet.calls.by_method() == {"GetConferenceRecord": 1, "ListParticipants": 1, "ListConferenceRecords": 1}
