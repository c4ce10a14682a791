"""Single values of requests."""

from datetime import UTC, date, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from functions.entrypoints.api.schemas import fields


def read(kind, value):
    return TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize(
    ("kind", "sent", "read_as"),
    [
        (fields.Email, " Ada.O'Brien+math@Mail.School.example ", "ada.o'brien+math@mail.school.example"),
        (fields.Line, "  Maths 7b, Zürich ", "Maths 7b, Zürich"),
        (fields.Moment, "2026-11-23T09:00:00+01:00", datetime(2026, 11, 23, 8, tzinfo=UTC)),
        (fields.Moment, "2026-11-23T09:00:00.1234567Z", datetime(2026, 11, 23, 9, 0, 0, 123456, tzinfo=UTC)),
        (fields.Moment, "2026-11-23t09:00z", datetime(2026, 11, 23, 9, tzinfo=UTC)),
        (fields.MomentOrDay, "2026-11-23", date(2026, 11, 23)),
        (fields.MomentOrDay, "2026-11-23T00:00:00Z", datetime(2026, 11, 23, tzinfo=UTC)),
        (fields.TypedMeetingCode, "abc-mnop-xyz", "abc-mnop-xyz"),
        (fields.TypedMeetingCode, "https://meet.google.com/abc-mnop-xyz?authuser=1", None),
        (fields.TimeZone, "Europe/Berlin", "Europe/Berlin"),
        (fields.GoogleUser, "users/123", "users/123"),
        (fields.GoogleUser, "123", "users/123"),
        (fields.ConferenceRecordName, "abc-DEF_1", "conferenceRecords/abc-DEF_1"),
        (fields.DisplayName, "Ada\n\u202eLovelace\x00", "Ada Lovelace"),
        (fields.Minutes, 1440, 1440),
    ],
)
def test_valid_values_are_read(kind, sent, read_as):
    assert read(kind, sent) == (sent if read_as is None else read_as)


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        (fields.Email, "ada"),
        (fields.Email, "ada@school"),
        (fields.Email, "ada@@school.example"),
        (fields.Email, "Ada <ada@school.example>"),
        (fields.Email, "a/b@school.example"),
        (fields.Email, "ada@school.example\n.example"),
        (fields.Email, "a" * 65 + "@school.example"),
        (fields.Email, "ada@" + "school." * 40 + "example"),
        (fields.Email, 7),
        (fields.Line, " "),
        (fields.Line, "a\nb"),
        (fields.Line, "a\x00"),
        (fields.Line, "x" * 201),
        (fields.Line, "\ud800"),
        (fields.StudentId, "7\u200b8"),
        (fields.StudentId, "7\u20288"),
        (fields.Moment, "2026-11-23T09:00:00"),
        (fields.Moment, "2026-11-23"),
        (fields.Moment, "0001-01-01T00:00:00+14:00"),
        (fields.Moment, "soon"),
        (fields.Moment, 1763888400),
        (fields.Moment, True),
        (fields.MomentOrDay, "2026-11-31"),
        (fields.MomentOrDay, "2026-11-23T09:00:00"),
        (fields.TypedMeetingCode, "https://evil.example/abc-mnop-xyz"),
        (fields.TypedMeetingCode, "abc-mnop"),
        (fields.TimeZone, "Mars/Base"),
        (fields.TimeZone, "../../etc/passwd"),
        (fields.GoogleUser, "users/a/b"),
        (fields.ConferenceRecordName, "spaces/x/y"),
        (fields.Minutes, 0),
        (fields.Minutes, 1441),
        (fields.Minutes, 45.0),
        (fields.Minutes, "45"),
        (fields.Minutes, True),
        (fields.Month, "2026-13"),
        (fields.Month, "2026-11\n"),
        (fields.Month, "November"),
    ],
)
def test_all_other_values_are_refused(kind, sent):
    with pytest.raises(ValidationError):
        read(kind, sent)


def test_a_date_is_its_midnight_at_the_school_also_where_clocks_are_changed():
    assert fields.moment_of(date(2026, 3, 29), time_zone="Europe/Berlin") == datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert fields.moment_of(date(2026, 3, 30), time_zone="Europe/Berlin") == datetime(2026, 3, 29, 22, tzinfo=UTC)
    assert fields.moment_of(None, time_zone="UTC") is None


def test_who_asks_for_no_month_is_told_what_one_looks_like():
    with pytest.raises(ValidationError, match="should be a month such as 2026-11"):
        read(fields.Month, "November")
