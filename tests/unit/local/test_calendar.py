"""The stand-in for Calendar, compared with Google's own description of the API."""

from __future__ import annotations

import importlib.resources
import json
from datetime import UTC, datetime
from functools import partial

import httpx
import pytest

from infra.local.calendar import METHODS, CalendarSimulator
from infra.local.calendars import Calendars, Refused
from infra.local.school import Account, School

OWNER = "teacher@school.example"
DOCUMENT = json.loads(
    (importlib.resources.files("googleapiclient") / "discovery_cache/documents/calendar.v3.json").read_text()
)
NEW = {
    "id": "class0",
    "summary": "Mathematics",
    "start": {"dateTime": "2026-10-19T09:00:00+02:00", "timeZone": "Europe/Berlin"},
    "end": {"dateTime": "2026-10-19T10:00:00+02:00", "timeZone": "Europe/Berlin"},
    "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"],
    "attendees": [{"email": "ada@school.example", "responseStatus": "needsAction"}],
    "conferenceData": {"createRequest": {"requestId": "r1", "conferenceSolutionKey": {"type": "hangoutsMeet"}}},
}


@pytest.fixture
def calendars():
    school = School(lambda: datetime(2026, 9, 28, tzinfo=UTC))
    school.enrol(Account("users/1", OWNER))
    return Calendars(school)


def unknown(value, schema, path=""):
    """Return the fields of an answer that its schema does not have."""
    schema = DOCUMENT["schemas"][schema["$ref"]] if "$ref" in schema else schema
    if isinstance(value, list):
        return [name for one in value for name in unknown(one, schema["items"], path)]
    if not isinstance(value, dict):
        return []
    known = schema.get("properties", {})
    extra = schema.get("additionalProperties")
    missing = [f"{path}.{name}" for name in value if name not in known and extra is None]
    return missing + [
        deeper for name in value if name in known for deeper in unknown(value[name], known[name], f"{path}.{name}")
    ]


def pages(calendars, size=2, *, deleted=False):
    found, begin, more = [], 0, True
    while more:
        items, more = calendars.instances(OWNER, "class0", size=size, begin=begin, deleted=deleted)
        found, begin = found + items, begin + size
    return found


@pytest.mark.parametrize("name", METHODS)
def test_every_call_that_is_served_is_one_of_the_api(name):
    method, path = METHODS[name]
    described = DOCUMENT["resources"]["events"]["methods"][name]

    assert (method, path) == (described["httpMethod"], f"/{DOCUMENT['servicePath']}{described['path']}")


def test_everything_that_is_answered_is_in_the_schema(calendars):
    event = {"$ref": "Event"}
    answers = [calendars.insert(OWNER, NEW, {"conferenceDataVersion": "1"})]
    answers += [calendars.get(OWNER, "class0") for _ in range(4)]
    answers += pages(calendars)
    answers.append(calendars.patch(OWNER, pages(calendars)[1]["id"], {"summary": "Physics"}, {}, None))

    assert answers[-2]["conferenceData"]["conferenceId"]
    assert [name for answer in answers for name in unknown(answer, event)] == []


def test_a_series_keeps_the_clock_on_the_wall(calendars):
    calendars.insert(OWNER, NEW, {})

    assert [one["start"]["dateTime"] for one in pages(calendars)] == [
        "2026-10-19T09:00:00+02:00",
        "2026-10-26T09:00:00+01:00",
        "2026-11-02T09:00:00+01:00",
    ]


def test_an_exception_keeps_its_place_and_only_itself_is_moved_or_deleted(calendars):
    calendars.insert(OWNER, NEW, {})
    first, second, third = pages(calendars)
    moved = {
        "start": {"dateTime": "2026-10-27T15:00:00+01:00", "timeZone": "Europe/Berlin"},
        "end": {"dateTime": "2026-10-27T16:00:00+01:00", "timeZone": "Europe/Berlin"},
    }
    calendars.patch(OWNER, second["id"], moved, {}, second["etag"])
    calendars.delete(OWNER, third["id"], {})

    shown = pages(calendars)
    assert [one["id"] for one in shown] == [first["id"], second["id"]]
    assert shown[1]["originalStartTime"] == second["originalStartTime"]
    assert shown[1]["start"] == moved["start"]
    assert [one["status"] for one in pages(calendars, deleted=True)] == ["confirmed", "confirmed", "cancelled"]


@pytest.mark.parametrize(
    ("status", "wrong"),
    [
        (409, lambda c: c.insert(OWNER, NEW, {})),
        (412, lambda c: c.patch(OWNER, "class0", {"summary": "x"}, {}, '"0"')),
        (404, lambda c: c.get(OWNER, "other")),
        (404, lambda c: c.get("somebody@school.example", "class0")),
        (400, lambda c: c.insert(OWNER, {**NEW, "id": "UPPER"}, {})),
        (400, lambda c: c.insert(OWNER, {**NEW, "id": "class1", "attendees": [{"email": "no address"}]}, {})),
    ],
)
def test_what_the_api_refuses_is_refused(calendars, status, wrong):
    calendars.insert(OWNER, NEW, {})
    with pytest.raises(Refused) as refused:
        wrong(calendars)

    assert refused.value.status == status


def test_a_deleted_event_keeps_its_id_and_is_shown_as_cancelled(calendars):
    calendars.insert(OWNER, NEW, {})
    calendars.delete(OWNER, "class0", {})

    assert calendars.get(OWNER, "class0")["status"] == "cancelled"
    for again, status in ((calendars.insert, 409), (calendars.delete, 410)):
        with pytest.raises(Refused) as refused:
            again(OWNER, *((NEW, {}) if status == 409 else ("class0", {})))
        assert refused.value.status == status


def test_a_page_token_belongs_to_its_question():
    school = School(lambda: datetime(2026, 9, 28, tzinfo=UTC))
    school.enrol(Account("users/1", OWNER))
    with CalendarSimulator(school).in_thread() as simulator:
        simulator.calendars.insert(OWNER, NEW, {})
        page = partial(
            httpx.get,
            f"{simulator.endpoint}/calendar/v3/calendars/primary/events/class0/instances",
            headers={"x-acting-as": OWNER},
        )
        token = page(params={"maxResults": 2}).json()["nextPageToken"]
        answers = [
            page(params={"maxResults": size, "pageToken": given})
            for size, given in [(2, token), (1, token), (2, "another")]
        ]
        refused = simulator.refusals.take()

    assert [answer.status_code for answer in answers] == [200, 400, 400]
    assert [len(answer.json().get("items", ())) for answer in answers] == [1, 0, 0]
    assert len(refused) == 2
