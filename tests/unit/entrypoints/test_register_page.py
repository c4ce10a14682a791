"""The content of a register's page and file."""

from datetime import UTC, datetime

from functions.entrypoints.api.pages.register import register_page, share_in_percent
from functions.entrypoints.api.schemas.answers import Register
from functions.entrypoints.api.tables.register import register_rows

COUNTS = {"present": 1, "late": 0, "left_early": 0, "partial": 0, "absent": 1, "excused": 0, "unknown": 0}


def meeting(name, day, hour=8, **fields):
    start = datetime(2026, 10, day, hour, tzinfo=UTC)
    return {"session_id": name, "session_start": start, "time_zone": "Europe/Berlin", "state": "ended", **fields}


def register(*sessions, students=()):
    return Register.model_validate(
        {"class_id": "7b", "month": "2026-10", "sessions": sessions, "students": list(students)}
    )


def pupil(marks, **fields):
    return {"display_name": "Ada", "student_id": "s1", "marks": marks, "counts": COUNTS, "share": 0.5, **fields}


MONTH = register(
    meeting("a", 23),
    meeting("b", 26),
    meeting("c", 27, state="not_held", subject="Maths"),
    students=[pupil({"a": "present", "b": "absent", "c": None}), pupil({"b": "excused"}, student_id="s2", share=None)],
)


def test_each_class_meeting_is_a_column_by_its_local_day_and_time():
    """The clocks are put back on the 25th: 08:00 UTC is ten o'clock before this change and nine o'clock after it."""
    page = register_page(MONTH, time_zone="UTC")

    assert [(one.weekday, one.day, one.time) for one in page.meetings] == [
        ("Fri", "23", "10:00"),
        ("Mon", "26", "09:00"),
        ("Tue", "27", "09:00"),
    ]
    assert page.meetings[2].in_words == "Tuesday 27 October 2026, 09:00, Maths, not held"
    assert [one.attended for one in page.meetings] == ["1 of 1", "0 of 1", ""]
    assert (page.month, page.zone, page.summary) == ("October 2026", "Europe/Berlin", "2 students, 3 class meetings")


def test_no_mark_and_not_expected_are_different_fields():
    first, second = register_page(MONTH, time_zone="UTC").students

    assert [mark.word for mark in first.marks] == ["present", "absent", "no mark"]
    assert [mark.word for mark in second.marks] == ["not expected", "excused", "not expected"]
    assert (first.totals, first.share, second.share) == ((1, 0, 0, 0, 1, 0, 0), "50 %", "")


def test_an_empty_register_is_an_empty_page():
    page = register_page(register(), time_zone="Europe/Berlin")

    assert (page.meetings, page.students, page.zone) == ((), (), "Europe/Berlin")
    assert register_rows(register(), time_zone="UTC")[0][-1] == "share"


def test_the_file_has_a_column_for_each_class_meeting_and_plain_numbers():
    head, first, second = register_rows(MONTH, time_zone="UTC")

    assert head == [
        *("class_id", "month", "time_zone", "display_name", "email", "student_id"),
        *("2026-10-23T10:00:00+02:00", "2026-10-26T09:00:00+01:00", "2026-10-27T09:00:00+01:00"),
        *("present", "late", "left_early", "partial", "absent", "excused", "unknown", "share"),
    ]
    assert first == ["7b", "2026-10", "Europe/Berlin", "Ada", "", "s1", "present", "absent", "not_held", *first[9:]]
    assert first[9:] == [1, 0, 0, 0, 1, 0, 0, 0.5]
    assert (second[6:9], second[-1]) == (["", "excused", ""], "")


def test_class_meetings_that_begin_together_are_called_by_their_ids_too():
    head = register_rows(register(meeting("a", 23), meeting("b", 23)), time_zone="UTC")[0]

    assert head[6:8] == ["2026-10-23T10:00:00+02:00 a", "2026-10-23T10:00:00+02:00 b"]


def test_a_share_is_shown_in_percent():
    assert [share_in_percent(share) for share in (None, 0, 1, 0.933)] == ["", "0 %", "100 %", "93.3 %"]


def test_in_labels_and_titles_a_right_to_left_text_reverses_only_itself():
    turned = register(meeting("a", 23, subject="حصة 101"), meeting("b", 26, subject="Maths\u2069\u202e"))
    page = register_page(turned.model_copy(update={"class_id": "صف 7"}), time_zone="UTC")

    assert page.title == "Register of \u2068صف 7\u2069, October 2026"
    assert [one.in_words for one in page.meetings] == [
        "Friday 23 October 2026, 10:00, \u2068حصة 101\u2069",
        "Monday 26 October 2026, 09:00, Maths",
    ]
