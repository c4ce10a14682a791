"""The stand-in for the Reports API, compared with Google's own description of the API."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import googleapiclient
import pytest

from functions.adapters.google.reports.activities import FIELDS
from infra.local.classes import believable_class
from infra.local.reports import BadRequest, Reports, report_id
from infra.local.school import Account, School

DISCOVERY = json.loads(
    (Path(googleapiclient.__file__).parent / "discovery_cache/documents/admin.reports_v1.json").read_text()
)
LIST = DISCOVERY["resources"]["activities"]["methods"]["list"]
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TEACHER = Account("users/1", "teacher@school.example")


@pytest.fixture
def school():
    school = School(lambda: NOW)
    school.enrol(TEACHER)
    return school


@pytest.fixture
def reports(school):
    return Reports(school)


@pytest.fixture
def conference(school):
    held = believable_class(
        1, people=8, start=NOW - timedelta(hours=3), length=timedelta(minutes=50), organizer=TEACHER.user
    )
    school.hold(held)
    return held


def ask(reports, **query):
    return reports.answer("all", "meet", {"startTime": "2026-11-01T00:00:00Z", "eventName": "call_ended", **query})


def values(page, name):
    return [one["value"] for item in page["items"] for one in item["events"][0]["parameters"] if one["name"] == name]


def fits(value, schema):
    """Return whether JSON only has fields of its schema, with the right types."""
    if "$ref" in schema:
        return fits(value, DISCOVERY["schemas"][schema["$ref"]])
    match schema["type"]:
        case "object":
            return isinstance(value, dict) and all(
                name in schema["properties"] and fits(inner, schema["properties"][name])
                for name, inner in value.items()
            )
        case "array":
            return isinstance(value, list) and all(fits(one, schema["items"]) for one in value)
        case kind:
            return isinstance(value, {"string": str, "boolean": bool, "integer": int}[kind])


def test_every_field_of_an_answer_is_one_of_googles(reports, conference):
    page = ask(reports)

    assert len(page["items"]) == sum(len(one.visits) for one in conference.attendees)
    assert fits(page, LIST["response"])


def test_the_path_and_the_parameters_are_googles():
    assert LIST["path"] == "admin/reports/v1/activity/users/{userKey}/applications/{applicationName}"
    assert {"eventName", "filters", "startTime", "endTime", "maxResults", "pageToken"} <= LIST["parameters"].keys()
    assert LIST["parameters"]["maxResults"]["maximum"] == "1000"
    assert "meet" in LIST["parameters"]["applicationName"]["enum"]
    assert all(f"'{name}'" in str(DISCOVERY["schemas"]) for name in re.findall(r"\w+", FIELDS))
    assert LIST["scopes"] == ["https://www.googleapis.com/auth/admin.reports.audit.readonly"]
    assert re.search(r"105250506097979753968", str(DISCOVERY["schemas"]["Activity"]["properties"]["actor"]))


def test_pages_tell_everything_once_and_belong_to_one_question(reports, conference):
    reports.page_size = 3
    pages = [ask(reports)]
    while token := pages[-1].get("nextPageToken"):
        pages.append(ask(reports, pageToken=token))
    told = [endpoint for page in pages for endpoint in values(page, "endpoint_id")]

    assert len(pages) > 2
    assert len(told) == len(set(told)) == sum(len(one.visits) for one in conference.attendees)
    with pytest.raises(BadRequest):
        ask(reports, pageToken=pages[0]["nextPageToken"], eventName="other")


def test_known_filters_apply_and_unknown_ones_are_ignored(reports, conference):
    code = conference.meeting_code.replace("-", "").upper()

    assert ask(reports, filters=f"meeting_code=={code}")["items"]
    assert ask(reports, filters=f"meeting_code=={code.lower()}")["items"] == []
    assert ask(reports, filters=f"conference_id=={report_id(conference)}")["items"]
    assert ask(reports, filters="no_such_parameter==1")["items"]
    assert ask(reports, filters="duration_seconds>100000")["items"] == []
    assert ask(reports, filters="duration_seconds>=60")["items"]
    with pytest.raises(BadRequest):
        ask(reports, filters="nonsense")


def test_rows_come_late_and_leave_after_half_a_year(reports, school, conference):
    reports.lag = timedelta(days=1)
    late = ask(reports)
    reports.lag = timedelta(0)
    school.clock = lambda: NOW + timedelta(days=181)

    assert late["items"] == []
    assert conference.end
    assert ask(reports)["items"] == []
    assert ask(reports, startTime="2026-11-01T00:00:00Z")["items"] == []


@pytest.mark.parametrize(
    "query",
    [
        {"startTime": "2026-12-24T00:00:00Z"},
        {"endTime": "2026-10-01T00:00:00Z"},
        {"startTime": "yesterday"},
        {"maxResults": "1001"},
        {"maxResults": "many"},
        {"pageToken": "made up"},
    ],
)
def test_what_google_would_refuse_is_refused(reports, query):
    with pytest.raises(BadRequest):
        ask(reports, **query)
