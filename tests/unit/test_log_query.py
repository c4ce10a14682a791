"""The evaluator of log queries follows Google's documentation in everything that the metrics use."""

import pytest

from tests.log_query import extract, query

ENTRY = {
    "severity": "ERROR",
    "resource": {"type": "cloud_run_revision", "labels": {"service_name": "jobs"}},
    "jsonPayload": {"message": "conference.failed", "people": 12, "share": 0.5, "reason": None, "quoted": 'a "b"'},
}


@pytest.mark.parametrize(
    "text",
    [
        'jsonPayload.message="conference.failed"',
        'jsonPayload.message = "CONFERENCE.failed"',
        "severity>=ERROR",
        'severity>="WARNING"',
        "severity<CRITICAL",
        'resource.labels.service_name=("events" OR "jobs")',
        "jsonPayload.people>=12 AND jsonPayload.people<13",
        "jsonPayload.people=12",
        "jsonPayload.people>9",
        "jsonPayload.share>0.4",
        'jsonPayload.message:"FAILED"',
        'jsonPayload.quoted="a \\"b\\""',
        'jsonPayload.message!="other"',
        "NOT severity=INFO",
        "NOT jsonPayload.nothing=1",
        "(severity=INFO OR severity=ERROR)\n  AND jsonPayload.people=12",
    ],
)
def test_a_query_that_fits(text):
    assert query(text)(ENTRY)


@pytest.mark.parametrize(
    "text",
    [
        'jsonPayload.message="conference"',
        "severity>ERROR",
        'resource.labels.service_name=("events" OR "api")',
        "jsonPayload.people>12",
        "jsonPayload.nothing>=0",
        "jsonPayload.reason:null",
        "jsonPayload.message>=1",
        'jsonPayload.people.more="12"',
        "NOT (severity=ERROR AND jsonPayload.people=12)",
    ],
)
def test_a_query_that_does_not_fit(text):
    assert not query(text)(ENTRY)


def test_or_binds_stronger_than_and():
    assert not query("severity=ERROR OR severity=INFO AND severity=INFO")(ENTRY)
    assert query("severity=ERROR OR severity=INFO AND severity=ERROR")(ENTRY)


@pytest.mark.parametrize(
    "text",
    ["", "severity", "severity=", "severity=ERROR severity=INFO", "(severity=ERROR", '"free text"', "a=~b", "a=)"],
)
def test_what_is_not_known_is_refused(text):
    with pytest.raises(ValueError, match=r"expected|not known"):
        query(text)


def test_what_a_missing_field_is_not_equal_to_is_not_guessed():
    with pytest.raises(ValueError, match="missing"):
        query("jsonPayload.nothing!=1")(ENTRY)


def test_an_extractor_takes_a_value():
    assert extract("EXTRACT(jsonPayload.people)", ENTRY) == 12
    assert extract("EXTRACT(jsonPayload.nothing)", ENTRY) is None
    with pytest.raises(ValueError, match="no extractor"):
        extract("REGEXP_EXTRACT(jsonPayload.people, 1)", ENTRY)
