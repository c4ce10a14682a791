"""How Moodle's attendance plugin reads a CSV file. The rules come from its source; no code is copied.

Moodle reads the file (`csv_import_reader`, Moodle 5.1):
https://github.com/moodle/moodle/blob/0963d22572107fc418ca1a5c965e3249cfe762fb/public/lib/csvlib.class.php
https://github.com/moodle/moodle/blob/cde19f58644a638e50b19f4eb29b2c2de5b4a213/public/lib/classes/dataformat.php

The plugin's forms choose columns by their headers, and its importers look up students, sessions and statuses:
https://github.com/danmarsden/moodle-mod_attendance/blob/5380ce26310fa54b269e62a2282ac4e3e3269eab/classes/form/import/marksessions_confirm.php
https://github.com/danmarsden/moodle-mod_attendance/blob/34d14b212f09989b5f15cdf809db65d657c56d94/classes/import/marksessions.php
https://github.com/danmarsden/moodle-mod_attendance/blob/b870d50f86729b02417b1ecca5360bbb8217ad1d/classes/form/import/bulkmarksessions_confirm.php
https://github.com/danmarsden/moodle-mod_attendance/blob/1378891c2cead679a68cdadccda31ed353885fb6/classes/import/bulkmarksessions.php
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

SEPARATORS = {"comma": ",", "semicolon": ";"}
_BLANKS = " \t\n\r\0\x0b"


@dataclass(frozen=True)
class User:
    """Somebody who is enrolled in the Moodle course."""

    id: int
    idnumber: str = ""
    email: str = ""
    username: str = ""


@dataclass(frozen=True)
class Session:
    """A session of the attendance activity; its start is in the time of the Moodle server."""

    id: int
    starts: datetime


@dataclass
class Imported:
    """The result of an import: (session, user) -> status and remark, and the errors that the teacher sees."""

    marks: dict[tuple[int, int], tuple[str, str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def import_into_session(content: bytes, *, session: int, users, statuses="PALE", separator="comma") -> Imported:
    """Act as a teacher who uploads a file for one session and changes nothing in the form."""
    head, rows = read(content, separator)
    # The form's default for the student's column is a name, but it needs a number, so a browser shows the first column.
    # The field to compare with is found by name.
    to = next(name for name in ("userid", "username", "idnumber", "email") if name in head)
    status_column, scan_column = _status_or_scan(head)
    known = {getattr(user, to).lower(): user for user in users if getattr(user, to)}
    done = Imported()
    for row in rows:
        user = known.get(row[0].lower())
        if user is None:
            done.problems.append(f"user not found: {row[0]}")
        elif (session, user.id) in done.marks:
            done.problems.append(f"user twice: {row[0]}")
        elif _cell(row, scan_column):
            done.problems.append("scan time overrides the status")
        elif _cell(row, status_column) not in list(statuses):  # exact match
            done.problems.append(f"status not found: {_cell(row, status_column)}")
        else:
            done.marks[session, user.id] = (_cell(row, status_column), "")
    if not done.marks:
        done.problems.append("invalid file")
    return done


def import_into_sessions(content: bytes, *, sessions, users, statuses="PALE", separator="comma") -> Imported:
    """Act as a teacher who uploads a file for several sessions and changes nothing in the form."""
    head, rows = read(content, separator)
    by_date = next((name for name in ("sessiondate", "date", "session_date") if name in head), None)
    by_id = next((name for name in ("sessionid", "session_id", "session") if name in head), None)
    to = next(name for name in ("email", "username", "idnumber", "id") if name in head)
    status_column, scan_column = _status_or_scan(head)
    remarks_column = head.index("remarks") if "remarks" in head else -1
    known = {getattr(user, to).strip().lower(): user for user in users if getattr(user, to)}
    acronyms = [acronym.strip().upper() for acronym in statuses]
    done = Imported()
    for row in rows:
        name = _cell(row, head.index(by_date or by_id)).strip()
        if not name:
            continue
        session = _session_on(name, sessions) if by_date else next((s for s in sessions if str(s.id) == name), None)
        extuser = _cell(row, head.index(to)).strip().lower()
        user = known.get(extuser)
        status = _cell(row, status_column).strip().upper()
        if session is None:
            done.problems.append(f"session not found: {name}")
        elif user is None:
            done.problems.append(f"user not found: {extuser}")
        elif (session.id, user.id) in done.marks:
            done.problems.append(f"user twice in a session: {extuser}")
        elif _cell(row, scan_column):
            done.problems.append("scan time overrides the status")
        elif status not in acronyms:
            done.problems.append(f"status not found: {status}")
        else:
            done.marks[session.id, user.id] = (status, _cell(row, remarks_column).strip())
    if not done.marks:
        done.problems.append("invalid file")
    return done


def _status_or_scan(head):
    if "status" in head:
        return head.index("status"), -1
    return -1, head.index("scantime") if "scantime" in head else -1


def _cell(row, column):
    return row[column] if 0 <= column < len(row) else ""


def _session_on(name, sessions):
    """Find a session by day and time, or else the first session of that day: a wrong time is not noticed."""
    in_order = sorted(sessions, key=lambda session: session.starts)
    for form in ("%Y-%m-%d %H:%M", "%Y-%m-%d"):
        for session in in_order:
            if f"{session.starts:{form}}" == name:
                return session
    try:
        moment = datetime.strptime(name, "%Y-%m-%d %H:%M")  # noqa: DTZ007 - on the server's clock
    except ValueError:
        return None
    return next((session for session in in_order if session.starts.date() == moment.date()), None)


# --- How Moodle reads CSV ----------------------------------------------------------------------------------------


def read(content: bytes, separator: str = "comma") -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a file in UTF-8.

    Raises:
        ValueError: Moodle refuses the file.
    """
    text = content.decode().removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").strip(_BLANKS)
    rows = [row for row in _rows(text, SEPARATORS[separator]) if row != [""]]
    if not rows:
        raise ValueError("the file is empty")
    if any(len(row) != len(rows[0]) for row in rows):
        raise ValueError("rows have different numbers of columns")
    head, *others = [[_escaped(cell) for cell in row] for row in rows]
    return head, others


def _escaped(cell: str) -> str:
    """Add an apostrophe before text that looks like a formula, as Moodle does when it stores the file."""
    return f"'{cell}" if cell != "-" and cell.lstrip(_BLANKS)[:1] in {"=", "+", "-", "@"} else cell


def _rows(text: str, separator: str):
    """Read like PHP's fgetcsv: in a quoted cell, a quotation mark after a backslash does not end the cell.

    Both remain.
    """
    row, cell, at, quoted = [], "", 0, False
    while at < len(text):
        character, following = text[at], text[at + 1 : at + 2]
        if quoted:
            if character == "\\" and following == '"':
                cell, at = f'{cell}\\"', at + 1
            elif character == '"' and following == '"':
                cell, at = f'{cell}"', at + 1
            elif character == '"':
                quoted = False
            else:
                cell += character
        elif character == '"' and not cell.strip(_BLANKS):
            cell, quoted = "", True
        elif character == separator:
            row, cell = [*row, cell], ""
        elif character == "\n":
            yield [*row, cell]
            row, cell = [], ""
        else:
            cell += character
        at += 1
    yield [*row, cell]
