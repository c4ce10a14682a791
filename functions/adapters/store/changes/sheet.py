"""Compares a class meeting, its attendance and its corrections with what is stored, and returns the writes; pure.

The class meeting's document is written with every change of its attendance and its corrections, so its version covers
all of them. The copy of its attendance is also written completely with every change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import zip_longest
from typing import Any

from functions.adapters.store.changes.differences import changed, contents
from functions.adapters.store.databases.database import ABSENT, COMMIT_TIME, Document, Write
from functions.adapters.store.documents.attendance import attendance_to_documents, correction_to_document
from functions.adapters.store.documents.common import Fields
from functions.adapters.store.documents.session import session_to_document
from functions.adapters.store.paths import attendance_path, copy_path, corrections_path, session_path
from functions.adapters.store.sheet_copy import copy_of
from functions.domain.classes.roster import Correction
from functions.domain.classes.sessions import AttendanceSheet, ClassSession
from functions.ports.store import SheetChange

_PROCESSING = ("pulled_at", "first_pulled_at", "ended_event_at", "attempts", "meet_calls", "source")
"""Fields of `sync` that only say how a result was obtained: they make no difference for readers of attendance."""

_WORKINGS = ("progress", "due_at", "fingerprint", "calendar_due_at", "calendar_failures", "sheet_parts")
"""Fields of a class meeting that only this system reads."""


@dataclass(frozen=True, slots=True)
class StoredSheet:
    """What is stored about a class meeting.

    Attributes:
        session: Its document.
        people: The content of everybody's attendance documents, by path.
        corrections: What people decided, by path; empty if it was not read.
    """

    session: Document | None
    people: Mapping[str, Fields]
    corrections: Mapping[str, Document]


def sheet_writes(
    sheet: AttendanceSheet,
    corrections: Mapping[str, Correction] | None,
    *,
    stored: StoredSheet,
    retention: timedelta | None,
) -> list[Write]:
    """The writes of a class meeting with all its attendance, if anything differs.

    Args:
        sheet: The class meeting as it should be stored.
        corrections: What people decided, by document id; None leaves it unchanged.
        stored: What is stored now.
        retention: How long personal data is kept.
    """
    session = sheet.session
    collection = attendance_path(session.session_id)
    documents = attendance_to_documents(sheet, retention=retention)
    people = {f"{collection}/{name}": fields for name, fields in documents.items()}
    on_people = [
        write if write.fields is None else Write(write.path, {**write.fields, "updated_at": COMMIT_TIME})
        for write in changed(people, stored.people, ignoring=("updated_at",))
    ]
    fields = session_to_document(sheet, retention=retention)
    before = dict(stored.session.fields) if stored.session else {}
    created_at, updated_at = before.pop("created_at", COMMIT_TIME), before.pop("updated_at", COMMIT_TIME)
    below = [*on_people, *_correction_writes(session, corrections, stored=stored, retention=retention)]
    if on_people or not people:
        copy = copy_of(_as_they_will_stand(people, on_people, stored), expire_at=fields["expire_at"])
        below += _copy_writes(session.session_id, copy, parts_before=_parts(stored))
        fields["sheet_parts"] = len(copy) if copy or not people else None
    else:
        fields["sheet_parts"] = before.get("sheet_parts")
    if below or _visible(fields) != _visible(before):
        updated_at = COMMIT_TIME
    if updated_at is not COMMIT_TIME and fields == before:
        return []
    fields |= {"created_at": created_at, "updated_at": updated_at}
    return [Write(session_path(session.session_id), fields, expecting=stored.session or ABSENT), *below]


def session_writes(session: ClassSession, *, stored: Document | None, retention: timedelta | None) -> list[Write]:
    """The write of only a class meeting's document; what it says about its attendance stays."""
    before = dict(stored.fields) if stored else {"created_at": COMMIT_TIME, "sheet_parts": 0}
    updated_at = before.pop("updated_at", COMMIT_TIME)
    kept = {name: before[name] for name in ("created_at", "counts", "sheet_parts") if name in before}
    fields = {**session_to_document(AttendanceSheet(session), retention=retention), **kept}
    fields["updated_at"] = updated_at if _visible(fields) == _visible(before) else COMMIT_TIME
    return [Write(session_path(session.session_id), fields, expecting=stored or ABSENT)]


def drop_writes(stored: StoredSheet) -> list[Write]:
    """The writes that remove a class meeting with its attendance; its corrections stay."""
    if stored.session is None:
        return []
    session_id = stored.session.fields["session_id"]
    return [
        Write(stored.session.path, None, expecting=stored.session),
        *(Write(child, None) for child in stored.people),
        *_copy_writes(session_id, [], parts_before=_parts(stored)),
    ]


def sheet_change(session_id: str, writes: Sequence[Write], stored: StoredSheet) -> SheetChange:
    """What the writes change in a class meeting's attendance, by attendee id."""
    people = list(on_people(session_id, writes))
    return SheetChange(
        created=frozenset(name for name, w in people if w.fields and w.path not in stored.people),
        updated=frozenset(name for name, w in people if w.fields and w.path in stored.people),
        deleted=frozenset(name for name, w in people if w.fields is None),
    )


def marks_changed(session_id: str, writes: Sequence[Write], stored: StoredSheet) -> dict[str, dict[str, Any]]:
    """The mark before and after, by attendee id, where it changes."""
    marks = {}
    for name, write in on_people(session_id, writes):
        was = stored.people[write.path]["mark"] if write.path in stored.people else None
        now = write.fields["mark"] if write.fields else None
        if was != now:
            marks[name] = {"before": was, "after": now}
    return marks


def on_people(session_id: str, writes: Sequence[Write]) -> Iterable[tuple[str, Write]]:
    """The writes of attendance documents, each with its attendee id."""
    prefix = f"{attendance_path(session_id)}/"
    return ((write.path.removeprefix(prefix), write) for write in writes if write.path.startswith(prefix))


def _as_they_will_stand(
    people: Mapping[str, Fields], writes: Iterable[Write], stored: StoredSheet
) -> list[Mapping[str, Any]]:
    """The attendance documents after the writes, by id."""
    written = {write.path: write.fields for write in writes if write.fields}
    return [written[path] if path in written else stored.people[path] for path in sorted(people)]


def _copy_writes(session_id: str, copy: Sequence[Fields], *, parts_before: int) -> list[Write]:
    """The writes of a copy that replaces an earlier one with the given number of parts."""
    paths = [f"{copy_path(session_id)}/{n}" for n in range(1, max(len(copy), parts_before) + 1)]
    return [Write(path, fields) for path, fields in zip_longest(paths, copy)]


def _parts(stored: StoredSheet) -> int:
    """How many parts the stored copy has."""
    return (stored.session.fields.get("sheet_parts") if stored.session else None) or 0


def _correction_writes(
    session: ClassSession,
    corrections: Mapping[str, Correction] | None,
    *,
    stored: StoredSheet,
    retention: timedelta | None,
) -> Iterable[Write]:
    if corrections is None:
        return ()
    collection = corrections_path(session.session_id)
    wanted = {
        f"{collection}/{name}": correction_to_document(correction, session, retention=retention)
        for name, correction in corrections.items()
    }
    return changed(wanted, contents(stored.corrections))


def _visible(session: Mapping[str, Any]) -> Fields:
    """The fields of a class meeting that a reader can see and that matter for attendance."""
    sync = {name: value for name, value in (session.get("sync") or {}).items() if name not in _PROCESSING}
    if sync.get("error"):
        sync["error"] = {**sync["error"], "at": None}
    return {**{name: value for name, value in session.items() if name not in _WORKINGS}, "sync": sync}
