"""Files in LibreOffice Calc: the cells are right, and text that people typed is never computed."""

from __future__ import annotations

import re
import subprocess
from datetime import datetime
from xml.etree import ElementTree as ET

import httpx
import pytest

from infra.local.month import MONTH, ZONE
from infra.local.showcase import CLASS_ID, HOSTILE_CLASS_ID
from tests.api import token

TABLE, TEXT, OFFICE = (f"{{urn:oasis:names:tc:opendocument:xmlns:{name}:1.0}}" for name in ("table", "text", "office"))
CONTROL = 'name,number\r\n=1+1,2\r\n"=HYPERLINK(""https://elsewhere.example"",""x"")",3\r\n'
UTF_8 = "CSV:44,34,76"
"""The choices in the import dialog: comma, quotation mark, UTF-8."""


@pytest.fixture(scope="module")
def ask(api):
    def ask(path):
        answer = httpx.get(f"{api}{path}", headers={"Authorization": token(aud=api)}, trust_env=False, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer

    return ask


@pytest.fixture(scope="module")
def paths(showcase):
    """Return the path of every file that the API gives, by a name for it."""
    return {
        "session": f"/api/sessions/{showcase.hostile}/attendance?format=csv",
        "class": f"/api/classes/{HOSTILE_CLASS_ID}/attendance?format=csv",
        "student": "/api/students/9008/attendance?format=csv",
        "register": f"/api/classes/{HOSTILE_CLASS_ID}/register?month={MONTH}&format=csv",
        "ordinary": f"/api/classes/{CLASS_ID}/register?month={MONTH}&format=csv",
    }


@pytest.fixture(scope="module")
def sheets(ask, paths, tmp_path_factory):
    """Return all files as spreadsheets: CSV with and without a byte order mark, and workbooks."""
    folder = tmp_path_factory.mktemp("spreadsheets")
    files = {name: ask(path).content for name, path in paths.items()}
    files |= {f"{name} with mark": ask(f"{path}&bom=1").content for name, path in paths.items()}
    files["control"] = CONTROL.encode()
    for name, content in files.items():
        (folder / f"{name}.csv").write_bytes(content)
    program = ("soffice", "--headless", "--norestore", f"-env:UserInstallation={(folder / 'profile').as_uri()}")
    conversion = (f"--infilter={UTF_8}", "--convert-to", "fods", "--outdir", str(folder))
    command = [*program, *conversion, *(str(folder / f"{name}.csv") for name in files)]
    subprocess.run(command, check=True, capture_output=True, timeout=100)  # noqa: S603 - files of our own making
    books = []
    for name, path in paths.items():
        books.append(folder / f"{name} as workbook.xlsx")
        books[-1].write_bytes(ask(path.replace("format=csv", "format=xlsx")).content)
    command = [*program, "--convert-to", "fods", "--outdir", str(folder), *map(str, books)]
    subprocess.run(command, check=True, capture_output=True, timeout=100)  # noqa: S603 - likewise
    return {file.stem: ET.parse(file).getroot() for file in folder.glob("*.fods")}  # noqa: S314 - likewise


def formulas(sheet):
    return [cell.get(f"{TABLE}formula") for cell in sheet.iter(f"{TABLE}table-cell") if cell.get(f"{TABLE}formula")]


def rows(sheet):
    """Return the cells of each row: a number, a date or a time of day if LibreOffice recognised one, otherwise text."""
    [table] = sheet.iter(f"{TABLE}table")
    found = []
    for row in table.iter(f"{TABLE}table-row"):
        cells = []
        for cell in row.iter(f"{TABLE}table-cell"):
            times = int(cell.get(f"{TABLE}number-columns-repeated", "1"))
            cells += [_value(cell)] * (times if len(cell) or times < 1000 else 0)
        found.append(cells)
    while found and not any(value not in {None, ""} for value in found[-1]):
        found.pop()
    width = len(found[0])
    return [[*row, *[""] * (width - len(row))][:width] for row in found]


def _value(cell):
    if cell.get(f"{OFFICE}value-type") in {"float", "percentage"}:
        return float(cell.get(f"{OFFICE}value"))
    if time := cell.get(f"{OFFICE}time-value"):  # PT09H00M39S
        return ":".join(re.findall(r"\d\d", time)[:3])
    return cell.get(f"{OFFICE}date-value") or "\n".join(_text(paragraph) for paragraph in cell.iter(f"{TEXT}p"))


def _text(element):
    """Return a paragraph's characters; several blanks and tabs are separate elements."""
    inner = {f"{TEXT}s": " " * int(element.get(f"{TEXT}c", "1")), f"{TEXT}tab": "\t"}.get(
        element.tag, element.text or ""
    )
    return inner + "".join(_text(child) + (child.tail or "") for child in element)


def as_typed(text):
    """Return text without the apostrophes that prevent computation, and without apostrophes of its own."""
    return text.replace("'", "")


def by_column(sheet):
    head, *others = rows(sheet)
    return [dict(zip(head, row, strict=True)) for row in others]


def test_the_check_itself_finds_a_formula(sheets):
    assert formulas(sheets["control"])[0] == "of:=1+1"
    assert len(formulas(sheets["control"])) == 2


def test_nothing_that_people_typed_is_computed(sheets):
    assert {name: formulas(sheet) for name, sheet in sheets.items() if name != "control"} == {
        name: [] for name in sheets if name != "control"
    }


def test_a_file_with_and_without_the_mark_of_its_encoding_is_the_same_sheet(sheets, paths):
    for name in paths:
        assert rows(sheets[name]) == rows(sheets[f"{name} with mark"])


def test_a_workbook_shows_what_the_csv_file_shows(sheets, paths):
    for name in paths:
        plain, book = by_column(sheets[name]), by_column(sheets[f"{name} as workbook"])

        assert len(plain) == len(book)
        for row, other in zip(plain, book, strict=True):
            assert list(other) == list(row)
            for column in ("display_name", "email", "time_zone"):
                assert other[column] == row[column]
            for column in row.keys() & {"mark", "start_date", "start_time", "total_duration_seconds", "share", "late"}:
                assert other[column] == row[column]


def test_an_id_that_looks_like_a_number_is_text_in_a_workbook_alone(sheets):
    [plain], [book] = by_column(sheets["student"]), by_column(sheets["student as workbook"])

    assert (plain["student_id"], book["student_id"]) == (9008.0, "9008")


def test_a_class_meeting_has_a_row_for_each_person_with_times_numbers_and_names_as_they_are(sheets, ask, showcase):
    people = ask(f"/api/sessions/{showcase.hostile}/attendance").json()["attendance"]
    found = {row["attendee_id"]: row for row in by_column(sheets["session"])}

    assert len(found) == len(people) == len(by_column(sheets["session"]))
    for person in people:
        row = found[person["attendee_id"]]
        assert as_typed(row["display_name"]) == as_typed(person["display_name"])
        assert row["mark"] == (person["mark"] or "")
        assert row["total_duration_seconds"] == person["total_duration_seconds"]
        assert row["in_class_seconds"] == person["in_class_seconds"]
        joined = datetime.fromisoformat(person["first_joined_at"]).astimezone(ZONE)
        assert (row["first_joined_date"], row["first_joined_time"]) == (f"{joined:%Y-%m-%d}", f"{joined:%H:%M:%S}")
        assert row["time_zone"] == "Europe/Berlin"


def test_a_class_and_a_student_have_the_same_rows(sheets):
    of_class = by_column(sheets["class"])
    [of_student] = by_column(sheets["student"])

    assert sorted(of_class, key=_attendee) == sorted(by_column(sheets["session"]), key=_attendee)
    assert of_student in of_class
    assert of_student["display_name"] == "'=1+1"  # the control test shows that this is computed


def _attendee(row):
    return row["attendee_id"]


def test_a_register_has_a_row_for_each_student_and_a_column_for_each_class_meeting(sheets, ask):
    register = ask(f"/api/classes/{CLASS_ID}/register?month={MONTH}").json()
    found = by_column(sheets["ordinary"])
    starts = [datetime.fromisoformat(one["session_start"]).astimezone(ZONE) for one in register["sessions"]]

    assert [row["display_name"] for row in found] == [student["display_name"] for student in register["students"]]
    for row, student in zip(found, register["students"], strict=True):
        assert row["share"] == student["share"]
        assert row["late"] == student["counts"]["late"]
        marks = [student["marks"][one["session_id"]] or "not_held" for one in register["sessions"]]
        assert [row[start.isoformat()] for start in starts] == marks


def test_a_register_keeps_hostile_names_apart_from_computing(sheets, ask):
    register = ask(f"/api/classes/{HOSTILE_CLASS_ID}/register?month={MONTH}").json()
    names = [as_typed(row["display_name"]) for row in by_column(sheets["register"])]

    assert names == [as_typed(student["display_name"]) for student in register["students"]]
