"""Files for gradebooks: Moodle's attendance plugin accepts every row and gives it to the right student."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from functions.domain.classes.roster import Mark
from functions.domain.errors import InvalidRequest
from functions.entrypoints.api.schemas.answers import AttendanceAnswer, Register
from functions.entrypoints.api.schemas.gradebook import DEFAULT_STATUSES, acronyms_of
from functions.entrypoints.api.schemas.requests import FormatQuery, RegisterQuery
from functions.entrypoints.api.tables.file import csv_file
from functions.entrypoints.api.tables.gradebooks.grades import grades_of_register, grades_of_session
from functions.entrypoints.api.tables.gradebooks.moodle import one_session, several_sessions, starts
from functions.entrypoints.api.tables.gradebooks.remarks import Remarks
from tests.moodle_attendance import Session, User, import_into_session, import_into_sessions, read

ACRONYMS = acronyms_of(DEFAULT_STATUSES)
MARKS = [mark.value for mark in Mark]
IDS = ["007", "4711", "s-1", "7/8 (b)", "é林", "a b", "x,y", "id;2", 'say "x"']


def fields_of(role="student", **changes):
    return {
        "schema_version": 1,
        "attendee_id": "a1",
        "session_id": "m1",
        "session_start": datetime(2026, 11, 23, 8, tzinfo=UTC),
        "session_state": "ended",
        "kind": "signed_in",
        "role": role,
        "student_id": "007",
        "mark": "present",
        **changes,
    }


def person(role="student", **changes):
    return AttendanceAnswer.model_validate(fields_of(role, **changes))


def register(*students, days=(2, 3), **of_meetings):
    return Register.model_validate(
        {
            "class_id": "7b",
            "month": "2026-11",
            "students": list(students),
            "sessions": [
                {
                    "session_id": f"m{day}",
                    "session_start": datetime(2026, 11, day, 8, 0, 40, tzinfo=UTC),
                    "state": "ended",
                    **of_meetings,
                }
                for day in days
            ],
        }
    )


def file(rows, **how):
    return bytes(csv_file(rows, name="x", **{"bom": False, **how}).body)


def several(found, documents=(), *, by="student_id", session_by="start", names=None, acronyms=ACRONYMS):
    remarks = Remarks()
    remarks.add(documents)
    return several_sessions(
        found,
        remarks,
        acronyms,
        by=by,
        session_by=session_by,
        session_names=names or starts(found.sessions, "Europe/Berlin"),
    )


SESSIONS = [Session(20, datetime(2026, 11, 2, 9, 0)), Session(30, datetime(2026, 11, 3, 9, 0))]  # noqa: DTZ001

# --- One session -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [{}, {"bom": True}, {"sep": ";"}, {"bom": True, "sep": ";"}])
def test_moodle_takes_each_student_of_a_class_meeting_with_their_mark(how):
    given = dict(zip(IDS, MARKS * 2, strict=False))
    people = [person(student_id=name, mark=mark) for name, mark in given.items()]
    users = [User(n, idnumber=name.upper()) for n, name in enumerate(IDS)]
    separator = "semicolon" if how.get("sep") else "comma"
    content = file(one_session(people, ACRONYMS, by="student_id"), **how)
    done = import_into_session(content, session=5, users=users, separator=separator)

    assert done.problems == []
    assert done.marks == {(5, n): (ACRONYMS[mark], "") for n, mark in enumerate(given.values()) if mark in ACRONYMS}


def test_the_file_of_one_session_has_neither_remarks_nor_scan_times():
    assert one_session([person()], ACRONYMS, by="student_id") == [["idnumber", "status"], ["007", "P"]]
    assert one_session([person(email="ada@school.example")], ACRONYMS, by="email")[0] == ["email", "status"]


def test_a_student_without_a_decided_mark_has_no_row():
    people = [
        person(mark="unknown"),
        person(mark=None, session_state="not_held"),
        person("guest", mark=None, student_id=None),
        person("teacher", mark=None),
        person("guest", kind="room", mark=None),
    ]

    assert one_session(people, ACRONYMS, by="student_id") == [["idnumber", "status"]]
    assert grades_of_session(people, by="student_id") == [["student_id", "share"]]


def test_a_mark_that_a_person_gave_in_a_class_that_was_not_held_has_a_row():
    by_hand = {"status": "present", "by": "office", "at": datetime(2026, 11, 23, tzinfo=UTC)}
    people = [person(session_state="not_held", status=None, override=by_hand)]

    assert one_session(people, ACRONYMS, by="student_id")[1:] == [["007", "P"]]


def test_an_empty_class_is_only_a_header():
    assert one_session([], ACRONYMS, by="student_id") == [["idnumber", "status"]]
    assert several(register(days=())) == [["sessiondate", "idnumber", "status", "remarks"]]
    assert grades_of_register(register(days=()), by="student_id") == [["student_id", "share"]]


def test_moodle_takes_a_thousand_students():
    names = [f"{n:05}" for n in range(1_000)]
    users = [User(n, idnumber=name) for n, name in enumerate(names)]
    content = file(one_session([person(student_id=name) for name in names], ACRONYMS, by="student_id"))
    found = register(*({"student_id": name, "marks": {"m2": "late", "m3": "absent"}} for name in names))
    of_month = import_into_sessions(file(several(found)), sessions=SESSIONS, users=users)

    assert len(import_into_session(content, session=5, users=users).marks) == 1_000
    assert (len(of_month.marks), of_month.problems) == (2_000, [])


# --- Several sessions --------------------------------------------------------------------------------------------


def test_moodle_takes_a_month_with_the_reason_of_each_mark():
    found = register(
        {"student_id": "007", "marks": {"m2": "late", "m3": "unknown"}},
        {"student_id": "008", "marks": {"m2": None, "m3": "excused"}},
    )
    by_hand = {"status": "excused", "reason": 'ill, "as\\told"\nby phone', "by": "office"}
    documents = [
        fields_of(session_id="m2", mark="late", status_reason="joined 12 min 4 s after the teacher"),
        fields_of(session_id="m3", mark="excused", student_id="008", override=by_hand, status_reason="never joined"),
    ]
    users = [User(1, idnumber="007"), User(2, idnumber="008")]
    done = import_into_sessions(file(several(found, documents)), sessions=SESSIONS, users=users)

    assert done.problems == []
    assert done.marks == {
        (20, 1): ("L", "joined 12 min 4 s after the teacher"),
        (30, 2): ("E", "ill, 'as/told' by phone"),
    }


def test_a_session_is_named_by_its_minute_on_the_clock_where_it_is_held():
    found = register({"student_id": "007", "marks": {"m2": "present"}}, time_zone="America/New_York")

    assert several(found)[1:] == [["2026-11-02 03:00", "007", "P", ""]]


def test_moodles_own_session_ids_are_used_if_they_are_the_external_ids():
    found = register({"student_id": "007", "marks": {"m2": "present", "m3": "absent"}})
    rows = several(found, session_by="external_id", names={"m2": "20", "m3": "30"})
    done = import_into_sessions(file(rows), sessions=SESSIONS, users=[User(1, idnumber="007")])

    assert rows[0][0] == "sessionid"
    assert (done.marks, done.problems) == ({(20, 1): ("P", ""), (30, 1): ("A", "")}, [])


def test_a_class_meeting_without_an_external_id_is_an_error_that_says_what_to_do():
    found = register({"student_id": "007", "marks": {"m2": "present", "m3": "absent"}})
    with pytest.raises(InvalidRequest, match="1 of 2 class meetings have none") as refused:
        several(found, session_by="external_id", names={"m2": "20", "m3": None})

    assert "session_by=start" in refused.value.hint


@pytest.mark.parametrize("name", ["-12", "=1", "A,-1", "20\\1"])
def test_an_external_id_that_moodle_would_read_otherwise_is_refused(name):
    found = register({"student_id": "007", "marks": {"m2": "present"}}, days=(2,))
    with pytest.raises(InvalidRequest, match="session_by cannot be external_id: 1 of 1 would be changed") as refused:
        several(found, session_by="external_id", names={"m2": name})

    assert "session_by=start" in refused.value.hint


def test_two_class_meetings_that_begin_in_the_same_minute_are_refused_because_moodle_would_take_them_for_one():
    found = register({"student_id": "007", "marks": {"m2": "present", "m3": "absent"}})
    with pytest.raises(InvalidRequest, match="session_by cannot be start: 2 class meetings have the same") as refused:
        several(found, names=dict.fromkeys(["m2", "m3"], "2026-11-02 09:00"))

    assert "external_id" in refused.value.hint


def test_a_class_meeting_without_rows_needs_no_name():
    found = register({"student_id": "007", "marks": {"m2": "present", "m3": None}})

    assert len(several(found, session_by="external_id", names={"m2": "20", "m3": None})) == 2


def test_a_reason_of_another_mark_is_left_out():
    found = register({"student_id": "007", "marks": {"m2": "present"}})

    assert several(found, [fields_of(session_id="m2", mark="absent", status_reason="never joined")])[1][3] == ""


def test_reasons_of_siblings_with_one_address_are_not_mixed_up():
    found = register(
        {"student_id": "1", "email": "family@home.example", "marks": {"m2": "present"}},
        {"student_id": "2", "email": "family@home.example", "marks": {"m2": "present"}},
    )
    documents = [
        fields_of(session_id="m2", student_id=name, emails=["family@home.example"], status_reason=f"reason {name}")
        for name in ("1", "2")
    ]

    assert [row[3] for row in several(found, documents)[1:]] == ["reason 1", "reason 2"]


@given(st.text(max_size=600))
def test_whatever_a_reason_says_moodle_reads_the_row(reason):
    found = register({"student_id": "007", "marks": {"m2": "present", "m3": "late"}})
    documents = [fields_of(session_id="m2", status_reason=reason)]
    done = import_into_sessions(file(several(found, documents)), sessions=SESSIONS, users=[User(1, idnumber="007")])

    assert done.problems == []
    assert {name: status for name, (status, _) in done.marks.items()} == {(20, 1): "P", (30, 1): "L"}
    assert all(len(remark) <= 255 for _, remark in done.marks.values())


# --- Who a row is about ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [one_session, None])
def test_a_student_without_the_id_is_an_error_that_says_how_many_and_what_to_do(make):
    people = [person(), person(student_id=None, email="bob@school.example")]
    with pytest.raises(InvalidRequest, match="student_by cannot be student_id: 1 of 2 students have none") as refused:
        one_session(people, ACRONYMS, by="student_id") if make else grades_of_session(people, by="student_id")

    assert "student_by=email" in refused.value.hint
    assert "bob" not in str(refused.value)


def test_two_students_that_moodle_would_take_for_one_are_an_error():
    with pytest.raises(InvalidRequest, match="2 or more students have the same"):
        one_session([person(student_id="A1"), person(student_id="a1")], ACRONYMS, by="student_id")


def test_a_gradebook_tells_capitals_from_small_letters():
    people = [person(student_id="A1"), person(student_id="a1")]

    assert [row[0] for row in grades_of_session(people, by="student_id")[1:]] == ["A1", "a1"]


@pytest.mark.parametrize("name", ["=1+1", "-12", "+1", "@x", "A,-1", "x,=2"])
def test_an_id_that_looks_like_a_formula_is_refused_because_it_would_not_be_found(name):
    for make in (lambda: one_session([person(student_id=name)], ACRONYMS, by="student_id"),
                 lambda: grades_of_session([person(student_id=name)], by="student_id")):  # fmt: skip
        with pytest.raises(InvalidRequest, match="would be changed by the program that reads the file"):
            make()


def test_an_id_with_a_backslash_is_refused_because_moodle_reads_it_otherwise():
    with pytest.raises(InvalidRequest, match="would be changed"):
        one_session([person(student_id='a\\"b')], ACRONYMS, by="student_id")


def test_a_student_without_a_row_needs_no_id():
    people = [person(), person(student_id=None, mark="unknown")]

    assert len(one_session(people, ACRONYMS, by="student_id")) == 2


# --- Statuses ----------------------------------------------------------------------------------------------------


def test_marks_that_count_as_attended_are_present_or_late_and_the_others_absent_or_excused():
    assert ACRONYMS == {"present": "P", "late": "L", "left_early": "P", "partial": "A", "absent": "A", "excused": "E"}


def test_a_school_names_the_statuses_that_it_has():
    query = FormatQuery(format="moodle", statuses="left_early:LE,late:T")
    people = [person(mark=mark, student_id=mark) for mark in ("present", "late", "left_early")]
    rows = one_session(people, acronyms_of(query.statuses), by="student_id")
    users = [User(n, idnumber=mark) for n, mark in enumerate(("present", "late", "left_early"))]

    assert [row[1] for row in rows[1:]] == ["P", "T", "LE"]
    assert import_into_session(file(rows), session=1, users=users, statuses=["P", "T", "LE"]).problems == []


@pytest.mark.parametrize(
    "wrong",
    ["", "late", "late:", "late:LATE", "unknown:U", "late:=", "late:a b", "late: L", "guest:G", 'late:"', "late:;"],
)
def test_statuses_that_moodle_cannot_have_are_refused(wrong):
    with pytest.raises(ValidationError, match=r"late:L,excused:E|one or two characters"):
        FormatQuery(format="moodle", statuses=wrong)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"format": "csv", "statuses": "late:T"}, "statuses"),
        ({"format": "grades", "statuses": "late:T"}, "statuses"),
        ({"format": "csv", "student_by": "email"}, "student_by"),
        ({"format": "grades", "session_by": "external_id", "month": "2026-11"}, "session_by"),
        ({"format": "xlsx", "bom": "1"}, "bom"),
        ({"format": "moodle", "student_by": "name"}, "student_by"),
        ({"format": "excel"}, "format"),
    ],
)
def test_a_parameter_of_another_format_is_named(query, field):
    kind = RegisterQuery if "month" in query else FormatQuery
    with pytest.raises(ValidationError) as refused:
        kind.model_validate(query)

    assert [error["loc"] for error in refused.value.errors()] == [(field,)]


# --- Grade rows --------------------------------------------------------------------------------------------------


def test_a_class_meeting_gives_each_student_whose_mark_counts_one_or_nothing():
    people = [person(student_id=mark, mark=mark) for mark in MARKS]

    assert grades_of_session(people, by="student_id") == [
        ["student_id", "share"],
        *([mark, 1.0] for mark in ("present", "late", "left_early")),
        *([mark, 0.0] for mark in ("partial", "absent")),
    ]


def test_a_month_gives_the_share_of_each_student_who_has_one():
    found = register(
        {"student_id": "007", "share": 0.667, "marks": {}},
        {"student_id": "008", "share": None, "marks": {}},
        {"student_id": "009", "share": 0.0, "marks": {}},
    )

    assert file(grades_of_register(found, by="student_id")) == b"student_id,share\r\n007,0.667\r\n009,0.0\r\n"
    assert file(grades_of_register(found, by="student_id"), sep=";").splitlines()[1] == b"007;0,667"


def test_grade_rows_name_students_by_address_if_asked():
    found = register({"email": "ada@school.example", "share": 1.0, "marks": {}})

    assert grades_of_register(found, by="email") == [["email", "share"], ["ada@school.example", 1.0]]


# --- The reader itself -------------------------------------------------------------------------------------------


def test_the_reader_refuses_what_moodle_refuses():
    with pytest.raises(ValueError, match="different numbers"):
        read(b"a,b\nc\n")
    with pytest.raises(ValueError, match="empty"):
        read(b"\xef\xbb\xbf \r\n")


def test_the_reader_takes_a_backslash_for_php_does():
    assert read(b'a,b\n"x\\""y",z\n')[1] != [['x\\"y', "z"]]
    assert read(b'a,b\n"-1","say ""x"""\n')[1] == [["'-1", 'say "x"']]


def test_the_importer_reports_what_it_does_not_find():
    users = [User(1, idnumber="007")]
    done = import_into_session(b"idnumber,status\n007,X\n008,P\n", session=1, users=users)
    of_month = import_into_sessions(b"sessiondate,idnumber,status\n2030-01-01,007,P\n", sessions=SESSIONS, users=users)

    assert done.problems == ["status not found: X", "user not found: 008", "invalid file"]
    assert of_month.problems == ["session not found: 2030-01-01", "invalid file"]
