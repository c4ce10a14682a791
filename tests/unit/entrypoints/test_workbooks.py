"""Workbooks in an XLSX reader: text stays text, numbers are numbers, marks have their colours."""

import io
import re
from datetime import UTC, datetime, time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from functions.domain.classes.roster import Mark
from functions.entrypoints.api import pages
from functions.entrypoints.api.schemas.answers import Register
from functions.entrypoints.api.tables.attendance import attendance_head, attendance_rows
from functions.entrypoints.api.tables.cells import text_cell
from functions.entrypoints.api.tables.register import register_rows
from functions.entrypoints.api.tables.workbook import COLOURS, Sheet, attendance_sheet, register_sheet, workbook

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
CSS = Path(pages.__file__).parent / "templates/base.css"


def opened(sheet):
    """Return the sheet as another program reads it."""
    [table] = load_workbook(io.BytesIO(workbook(sheet))).worksheets
    return table


def person(**changes):
    return {
        "schema_version": 1,
        "attendee_id": "a1",
        "session_id": "m1",
        "class_id": "7b",
        "session_start": START,
        "scheduled_end": datetime(2026, 11, 23, 8, 45, tzinfo=UTC),
        "session_state": "ended",
        "kind": "signed_in",
        "role": "student",
        "student_id": "007",
        "display_name": "Ada",
        "mark": "late",
        "status": "present",
        "is_late": True,
        "total_duration_seconds": 2700,
        **changes,
    }


def attendance(*people):
    return opened(attendance_sheet([attendance_head(), *attendance_rows(people, time_zone="Europe/Berlin")]))


def cell(table, name, row=2):
    [head] = table.iter_rows(max_row=1)
    [found] = [column for column in head if column.value == name]
    return table.cell(row, found.column)


def register(*students, meetings=2):
    found = {
        "class_id": "7b",
        "month": "2026-11",
        "students": list(students),
        "sessions": [
            {"session_id": f"m{n}", "session_start": START.replace(day=n), "state": "ended"}
            for n in range(1, meetings + 1)
        ],
    }
    rows = register_rows(Register.model_validate(found), time_zone="Europe/Berlin")
    return rows, opened(register_sheet(rows))


def test_dates_times_and_numbers_are_real_ones():
    table = attendance(person())

    assert cell(table, "start_date").value == datetime(2026, 11, 23)  # noqa: DTZ001 - a day has no zone there
    assert cell(table, "start_time").value == time(9, 0)
    assert cell(table, "end_time").value == time(9, 45)
    assert cell(table, "total_duration_seconds").value == 2700


def test_true_and_false_are_text_because_libreoffice_makes_a_formula_of_a_truth_value():
    table = attendance(person())

    assert (cell(table, "is_late").value, cell(table, "is_late").data_type) == ("true", "s")
    assert (cell(table, "is_left_early").value, cell(table, "is_left_early").data_type) == ("false", "s")


def test_an_id_keeps_its_zeros_and_is_text_also_after_somebody_edits_it():
    table = attendance(person(student_id="007", class_id="0042"))

    for name, value in (("student_id", "007"), ("class_id", "0042")):
        assert (cell(table, name).value, cell(table, name).data_type) == (value, "s")
        assert cell(table, name).number_format == "@"


@pytest.mark.parametrize("typed", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("http://x.example","x")'])
def test_no_cell_is_a_formula_whatever_people_typed(typed):
    table = attendance(person(display_name=typed, subject=typed, status_reason=typed, student_id=typed))
    _, of_class = register({"display_name": typed, "email": typed, "student_id": typed, "marks": {}})

    for sheet in (table, of_class):
        for row in sheet.iter_rows():
            assert [one.value for one in row if one.data_type == "f" or one.hyperlink] == []
    for name in ("display_name", "subject", "status_reason", "student_id"):
        assert (cell(table, name).value, cell(table, name).number_format) == (text_cell(typed), "@")


def test_names_of_any_script_come_back_to_the_letter():
    names = ["林 小雨", "أحمد (1)", "👩‍👩‍👧", "Ольга", "Zoë <b>&amp;", "x" * 200]
    table = attendance(*(person(display_name=name) for name in names))

    assert [cell(table, "display_name", row).value for row in range(2, 2 + len(names))] == names


def test_half_a_character_is_not_an_error():
    assert cell(attendance(person(display_name="\ud800")), "display_name").value == "?"


def test_a_mark_has_the_colours_of_the_pages_and_nothing_else_is_coloured():
    marks = [mark.value for mark in Mark]
    table = attendance(*(person(mark=mark, display_name=mark) for mark in marks))
    css = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", CSS.read_text().partition("@media")[0]))
    classes = {
        name: found.groups()
        for found in re.finditer(
            r"^([.a-z_, ]+) \{ color: var\(--(\w+)\); background: var\(--([\w-]+)\)", CSS.read_text(), re.MULTILINE
        )
        for name in re.findall(r"\w+", found[1])
    }

    assert {mark: (css[classes[mark][1]], css[classes[mark][2]]) for mark in marks} == COLOURS
    for row, mark in enumerate(marks, start=2):
        shown = cell(table, "mark", row)
        assert (f"#{shown.font.color.rgb[2:]}".lower(), f"#{shown.fill.fgColor.rgb[2:]}".lower()) == COLOURS[mark]
        assert cell(table, "display_name", row).fill.fill_type is None


def test_a_register_has_coloured_marks_shares_as_percent_and_frozen_names():
    student = {
        "display_name": "Ada",
        "student_id": "007",
        "marks": {"m1": "present", "m2": "absent"},
        "counts": {"present": 1, "absent": 1},
        "share": 0.5,
    }
    rows, table = register(student)
    start = "2026-11-01T09:00:00+01:00"

    assert [one.value for one in table[1]] == rows[0]
    assert cell(table, start).value == "present"
    assert f"#{cell(table, start).fill.fgColor.rgb[2:]}".lower() == COLOURS["present"][1]
    assert (cell(table, "share").value, cell(table, "share").number_format) == (0.5, "0.0%")
    assert cell(table, "present").value == 1
    assert table.freeze_panes == "E2"


def test_the_head_stays_in_sight_and_can_filter():
    table = attendance(person())

    assert table.freeze_panes == "A2"
    assert table.auto_filter.ref == f"A1:{cell(table, attendance_head()[-1]).coordinate}"


def test_an_empty_class_is_a_sheet_with_its_head():
    rows, table = register(meetings=0)

    assert [[one.value for one in row] for row in table.iter_rows()] == rows
    assert [one.value for one in attendance()[1]] == attendance_head()


def test_a_thousand_students_are_a_thousand_rows():
    table = attendance(*(person(student_id=f"{n:05}") for n in range(1_000)))
    rows, of_class = register(
        *({"student_id": f"{n:05}", "marks": {f"m{m}": "present" for m in range(1, 21)}} for n in range(1_000)),
        meetings=20,
    )

    ids = [f"{n:05}" for n in range(1_000)]
    assert [cell(table, "student_id", row).value for row in range(2, 1_002)] == ids
    assert [row[5].value for row in of_class.iter_rows(min_row=2)] == ids
    assert of_class.max_column == len(rows[0])


def test_the_same_rows_are_the_same_bytes():
    sheet = Sheet("Register", [["a", "mark"], ["x", "late"]], range(1, 2))

    assert workbook(sheet) == workbook(sheet)


@settings(max_examples=50)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=5))
def test_any_text_is_a_workbook_that_can_be_read(texts):
    table = opened(Sheet("Register", [["a"], *([text] for text in texts)], frozenset()))

    for row in table.iter_rows(min_row=2):
        assert row[0].data_type in {"s", "n"}  # n: an empty cell
        assert isinstance(row[0].value, str | None)
