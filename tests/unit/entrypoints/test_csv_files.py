"""CSV files for spreadsheets: text stays text."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.entrypoints.api.tables.cells import text_cell
from functions.entrypoints.api.tables.file import csv_file

# Characters that begin a formula in a spreadsheet, also in their full-width forms.
TRIGGERS = ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠", "﹢", "﹣", "−"]  # noqa: RUF001 - on purpose


@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.parametrize("before", ["", " ", "\u00a0", "\u3000", "\u200b", "\ufeff", "\u202e", '"', "'", "\n"])
def test_a_formula_becomes_text_after_any_prefix(before, trigger):
    assert text_cell(f"{before}{trigger}1+1").startswith("'")


@pytest.mark.parametrize("separator", [";", "\t", "\n", "\r"])
def test_a_formula_behind_a_separator_of_another_locale_becomes_text(separator):
    assert f'{separator}\'=HYPERLINK("http://x")' in text_cell(f'Ada{separator}=HYPERLINK("http://x")')


@pytest.mark.parametrize(
    "text", ["Ada", "", "O'Neill-Quill", "a=b", "1 + 1", "Smith; John", "林 小雨", "👩‍👩‍👧", "ada@school.example"]
)
def test_ordinary_text_stays_as_it_is(text):
    assert text_cell(text) == text


def test_a_missing_value_is_an_empty_cell():
    assert text_cell(None) == ""


@given(st.lists(st.text(max_size=30), min_size=2, max_size=5))
def test_any_text_comes_back_whole_but_for_apostrophes(texts):
    answer = csv_file([["a", "b"], [text_cell(text) for text in texts]], name="x", bom=False)
    head, row = csv.reader(io.StringIO(bytes(answer.body).decode(), newline=""))

    assert head == ["a", "b"]
    for cell, text in zip(row, texts, strict=True):
        assert cell.replace("'", "") == text.replace("'", "")
        assert cell.lstrip("' \"\n\u00a0")[:1] not in {"=", "+", "-", "@"} or cell.startswith("'")


def test_a_file_has_lines_as_rfc_4180_has_them_and_a_mark_of_utf_8_if_asked():
    rows = [["a", "b"], ["x, y", 'say "ü"']]
    answer = csv_file(rows, name="attendance", bom=True)

    assert bytes(answer.body) == b"\xef\xbb\xbfa,b\r\n" + '"x, y","say ""ü"""\r\n'.encode()
    assert answer.headers["content-disposition"] == 'attachment; filename="attendance.csv"'
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"


def test_half_a_character_is_not_an_error():
    assert b"?" in bytes(csv_file([["\ud800"]], name="x", bom=False).body)
