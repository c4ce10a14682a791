from datetime import UTC, datetime, timedelta

import pytest

from infra.local import filters
from infra.local.filters import CONFERENCE_RECORDS, PARTICIPANT_SESSIONS, PARTICIPANTS, FilterError, parse

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


def record(start=NINE, end=None):
    return {
        "space.name": "spaces/jQCFfuBOdN5z",
        "space.meeting_code": "abc-mnop-xyz",
        "start_time": start,
        "end_time": end,
    }


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("", True),
        ("  ", True),
        ('space.name = "spaces/jQCFfuBOdN5z"', True),
        ('space.name="spaces/JQCFFUBODN5Z"', False),
        ('space.meeting_code = "abc-mnop-xyz"', True),
        ('start_time>="2026-03-02T09:00:00Z"', True),
        ('start_time>"2026-03-02T09:00:00.000Z"', False),
        ('start_time = "2026-03-02T10:00:00+01:00"', True),
        ('start_time < "2026-03-02T09:00:00.000001Z"', True),
        ('start_time<="2026-03-02T08:59:59.999999999Z"', False),
        ('start_time>="2026-03-02T00:00:00.000Z" AND start_time<="2026-03-03T00:00:00.000Z"', True),
        ('start_time>="2026-03-02T00:00:00.000Z"  AND  end_time IS NULL', True),
        ('space.name = "spaces/other" AND end_time IS NULL', False),
        ('end_time < "2030-01-01T00:00:00Z"', False),
    ],
)
def test_the_documented_conditions_choose_a_conference_that_is_under_way(text, passes):
    assert passes is parse(text, CONFERENCE_RECORDS).passes(record())


def test_is_null_leaves_out_what_has_ended():
    ended = record(end=NINE + timedelta(hours=1))

    assert not parse("end_time IS NULL", CONFERENCE_RECORDS).passes(ended)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ('startTime >= "2026-03-02T09:00:00Z"', CONFERENCE_RECORDS),
        ("start_time >= 2026-03-02T09:00:00Z", CONFERENCE_RECORDS),
        ("start_time >= '2026-03-02T09:00:00Z'", CONFERENCE_RECORDS),
        ('start_time >= "2026-03-02"', CONFERENCE_RECORDS),
        ('start_time >= "2026-03-02T09:00:00"', CONFERENCE_RECORDS),
        ('start_time >= "2026-13-02T09:00:00Z"', CONFERENCE_RECORDS),
        ('start_time != "2026-03-02T09:00:00Z"', CONFERENCE_RECORDS),
        ("start_time IS NULL", CONFERENCE_RECORDS),
        ("end_time IS NOT NULL", CONFERENCE_RECORDS),
        ("end_time is null", CONFERENCE_RECORDS),
        ("space.name IS NULL", CONFERENCE_RECORDS),
        ('space.name > "spaces/a"', CONFERENCE_RECORDS),
        ('space = "spaces/a"', CONFERENCE_RECORDS),
        ('space.name = "spaces/a" OR space.name = "spaces/b"', CONFERENCE_RECORDS),
        ('space.name = "spaces/a" and end_time IS NULL', CONFERENCE_RECORDS),
        ('(space.name = "spaces/a")', CONFERENCE_RECORDS),
        ('space.name = "spaces/a" AND', CONFERENCE_RECORDS),
        ("AND end_time IS NULL", CONFERENCE_RECORDS),
        ("anything else", CONFERENCE_RECORDS),
        ("end_time IS NULL", PARTICIPANTS),
        ("latest_end_time IS NULL", PARTICIPANT_SESSIONS),
    ],
)
def test_anything_that_the_reference_does_not_show_is_refused(text, fields):
    with pytest.raises(FilterError):
        parse(text, fields)


def test_a_page_token_holds_for_its_own_list_only():
    tokens = filters.PageTokens()
    token = tokens.issue("one list", 2, 100)

    assert tokens.read("one list", token) == (2, 100)
    with pytest.raises(filters.PageError):
        tokens.read("another list", token)


@pytest.mark.parametrize("token", ["2", "Mi4xMDA=", "Mi4xMDAuYWJj", "näh", "!!!!", "AAAA"])
def test_made_up_page_tokens_are_refused(token):
    with pytest.raises(filters.PageError):
        filters.PageTokens().read("one list", token)
