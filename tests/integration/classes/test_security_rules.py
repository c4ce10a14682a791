"""What a page may read in Firestore: infra/firestore.rules on the emulator, with documents that the system stored.

The emulator accepts tokens without a signature and does not check `aud`, `iss` and `exp`. Firebase does. These tests
say nothing about them. https://firebase.google.com/docs/emulator-suite/connect_firestore
"""

from __future__ import annotations

import base64
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.classroom import NOW, TEACHER, guest, held, job, pupil, scheduled, teacher

ROOT = Path(__file__).parents[3]
RULES = (ROOT / "infra/firestore.rules").read_text()
CLOSED = (ROOT / "infra/firestore.closed.rules").read_text()

PUNCTUAL, LATE = "punctual@school.example", "late@school.example"


def token(**claims):
    """Return a token that the emulator accepts."""
    parts = ({"alg": "none", "typ": "JWT"}, {"sub": "u1", "user_id": "u1", **claims})
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), ""])


def signed_in(email, *, verified=True, **claims):
    return token(email=email, email_verified=verified, **claims)


WHO = {
    "the student": signed_in(PUNCTUAL),
    "the student in capitals": signed_in(PUNCTUAL.upper()),
    "the student by the LMS's id": token(student_id="S1"),
    "another student": signed_in(LATE),
    "another student by the LMS's id": token(student_id="S2"),
    "the teacher": signed_in("teacher@school.example"),
    "a co-teacher": signed_in("co@school.example"),
    "another teacher": signed_in("other@school.example"),
    "a student whose address is not verified": signed_in(PUNCTUAL, verified=False),
    "a teacher whose address is not verified": signed_in("teacher@school.example", verified=False),
    "somebody without an address": token(firebase={"sign_in_provider": "anonymous"}),
    "somebody with an empty id": token(student_id=""),
    "somebody whose id is null": token(student_id=None),
    "somebody whose id is a list": token(student_id=["S1"]),
    "somebody whose id says True": token(student_id=True),
    "somebody whose id is a number": token(student_id=1),
    "somebody with a very long id": token(student_id="S1" * 400),
    "somebody who says to be verified in words": token(email=PUNCTUAL, email_verified="true"),
    "a stranger": signed_in("punctual@school.example.evil.example"),
    "a stranger with an id of another LMS": signed_in("x@elsewhere.example", student_id="S9"),
    "nobody": None,
}


class Page:
    """A page with the Firebase SDK; it reads like the SDK."""

    def __init__(self, address, project):
        self._root = f"http://{address}/v1/projects/{project}/databases/(default)/documents"
        self._emulator = f"http://{address}/emulator/v1/projects/{project}"
        self._client = httpx.Client(timeout=30)

    def has_rules(self, text):
        files = {"rules": {"files": [{"name": "firestore.rules", "content": text}]}}
        self._client.put(f"{self._emulator}:securityRules", json=files).raise_for_status()

    def coverage(self):
        return self._client.get(f"{self._emulator}:ruleCoverage").json()

    def get(self, path, who):
        """Return the fields of a document; None if it is denied."""
        answer = self._client.get(f"{self._root}/{path}", headers=_as(who))
        return _unless_denied(answer) and answer.json().get("fields")

    def find(self, collection, who, *, parent="", group=False, where=()):
        """Return the names of the documents that a query finds; None if it is denied."""
        filters = [
            {"fieldFilter": {"field": {"fieldPath": field}, "op": op, "value": _value(value)}}
            for field, op, value in where
        ]
        query: dict[str, Any] = {"from": [{"collectionId": collection, "allDescendants": group}]}
        if filters:
            query["where"] = {"compositeFilter": {"op": "AND", "filters": filters}}
        url = f"{self._root}{'/' if parent else ''}{parent}:runQuery"
        answer = self._client.post(url, json={"structuredQuery": query}, headers=_as(who))
        if not _unless_denied(answer):
            return None
        return sorted(
            found["document"]["fields"]["attendee_id" if collection == "attendance" else "session_id"]["stringValue"]
            for found in answer.json()
            if "document" in found
        )

    def write(self, path, who, method):
        """Return whether a change was allowed."""
        body = None if method == "DELETE" else {"fields": {"mark": {"stringValue": "present"}}}
        return _unless_denied(self._client.request(method, f"{self._root}/{path}", json=body, headers=_as(who)))

    def close(self):
        self._client.close()


def _as(who):
    return {"Authorization": f"Bearer {WHO[who]}"} if WHO[who] else {}


def _unless_denied(answer):
    if answer.status_code == 403:
        return False
    assert answer.status_code == 200, answer.text
    return True


def _value(value):
    return {"nullValue": None} if value is None else {"stringValue": value}


@pytest.fixture
def store_settings(firestore):
    return firestore


@pytest.fixture
def home(project):
    return project


@pytest.fixture
async def made(app, api, school):
    """Hold two classes with different teachers: in one, students have ids of the LMS; in the other, only addresses."""
    first = await scheduled(
        api,
        student_emails=None,
        students=[{"email": PUNCTUAL, "student_id": "S1"}, {"email": LATE, "student_id": "S2"}],
        co_teacher_emails=["co@school.example"],
    )
    people = [teacher((0, 60)), pupil(0, (0, 60)), pupil(1, (12, 60)), guest("Someone", (5, 50))]
    school.hold(held(first["space"], first["meeting_code"], *people))
    await job(app, "sync-session", session_id=first["session_id"])
    second = await scheduled(api, student_emails=[PUNCTUAL, LATE], class_id="8a")
    school.hold(held(second["space"], second["meeting_code"], teacher((0, 60)), pupil(1, (0, 60)), record="rec-2"))
    await job(app, "sync-session", session_id=second["session_id"])
    return first["session_id"], second["session_id"]


@pytest.fixture
async def going(api, school):
    """A class that goes on now, whose room somebody has asked about."""
    start = NOW - timedelta(minutes=10)
    made = await scheduled(
        api,
        student_emails=[PUNCTUAL],
        class_id="9c",
        start_time=start.isoformat(),
        co_teacher_emails=["co@school.example"],
    )
    people = [teacher((110, None)), pupil(0, (112, None))]
    school.hold(held(made["space"], made["meeting_code"], *people, record="rec-3", start=110, end=180))
    answer = await api.get(f"/api/sessions/{made['session_id']}/live")
    assert len(answer.json()["participants"]) == 2, answer.text
    return made["session_id"]


@pytest.fixture
async def ids(api, made):
    """Return the id of each attendance document, by class and address or display name."""
    found = {}
    for number, session_id in enumerate(made, start=1):
        sheet = (await api.get(f"/api/sessions/{session_id}/attendance")).json()
        for person in sheet["attendance"]:
            found[number, person["email"] or person["display_name"]] = person["attendee_id"]
    return found


@pytest.fixture
def page(emulated_firestore, project):
    page = Page(emulated_firestore, project)
    page.has_rules(RULES)
    yield page
    page.close()


MAY = {
    "the student": {"own"},
    "the student in capitals": {"own"},
    "the student by the LMS's id": {"own by id"},
    "another student": {"another's"},
    "another student by the LMS's id": set(),
    "the teacher": {"own", "own by id", "another's", "the guest's", "the teacher's", "the session", "the room"},
    "a co-teacher": {"own by id", "the guest's", "the teacher's", "the room"},
}
"""Who may read which document; nobody else may read any."""


def documents(made, ids, going):
    """Return documents by their relation to the student."""
    first, second = made
    return {
        "own by id": f"sessions/{first}/attendance/{ids[1, PUNCTUAL]}",
        "own": f"sessions/{second}/attendance/{ids[2, PUNCTUAL]}",
        "another's": f"sessions/{second}/attendance/{ids[2, LATE]}",
        "the guest's": f"sessions/{first}/attendance/{ids[1, 'Someone']}",
        "the teacher's": f"sessions/{first}/attendance/{ids[1, 'teacher@school.example']}",
        "the session": f"sessions/{second}",
        "the room": f"live/{going}",
    }


def readable(page, made, ids, going):
    """Return the documents that each person can read."""
    where = documents(made, ids, going)
    return {who: {what for what, path in where.items() if page.get(path, who)} for who in WHO}


def expected():
    """Return the same from the table. A student whose address is on the roster can be found by it in both classes."""
    allowed = {who: set(MAY.get(who, ())) for who in WHO}
    for who in ("the student", "the student in capitals"):
        allowed[who].add("own by id")
    return allowed


async def test_each_person_reads_their_own_documents_and_no_others(page, made, ids, going):
    assert readable(page, made, ids, going) == expected()


async def test_a_class_is_read_by_its_teachers_alone(page, made):
    first, second = made
    for session_id, teachers in ((first, {"the teacher", "a co-teacher"}), (second, {"the teacher"})):
        assert {who for who in WHO if page.get(f"sessions/{session_id}", who)} == teachers


QUERIES = [
    ("the student", [("emails", "ARRAY_CONTAINS", PUNCTUAL)], {(1, PUNCTUAL), (2, PUNCTUAL)}),
    ("another student", [("emails", "ARRAY_CONTAINS", LATE)], {(1, LATE), (2, LATE)}),
    ("the student by the LMS's id", [("student_id", "EQUAL", "S1")], {(1, PUNCTUAL)}),
    ("a co-teacher", [("teacher_emails", "ARRAY_CONTAINS", "co@school.example")], "the first class"),
    ("the student", [], None),
    ("the student", [("emails", "ARRAY_CONTAINS", LATE)], None),
    ("the student", [("student_id", "EQUAL", "S1")], None),
    ("the student by the LMS's id", [("student_id", "EQUAL", "S2")], None),
    ("the student by the LMS's id", [("student_id", "EQUAL", None)], None),
    ("the student by the LMS's id", [("emails", "ARRAY_CONTAINS", PUNCTUAL)], None),
    ("somebody whose id is null", [("student_id", "EQUAL", None)], None),
    ("somebody without an address", [("student_id", "EQUAL", None)], None),
    ("the teacher", [], None),
    ("the teacher", [("class_id", "EQUAL", "7b")], None),
    ("another teacher", [("teacher_emails", "ARRAY_CONTAINS", "teacher@school.example")], None),
    ("a student whose address is not verified", [("emails", "ARRAY_CONTAINS", PUNCTUAL)], None),
    ("nobody", [("emails", "ARRAY_CONTAINS", PUNCTUAL)], None),
]


async def test_a_query_over_all_classes_gives_what_is_ones_own_and_is_refused_if_it_reaches_further(page, ids):
    for who, where, found in QUERIES:
        wanted = found
        if found == "the first class":
            wanted = {key for key in ids if key[0] == 1}
        wanted = None if wanted is None else sorted(ids[key] for key in wanted)
        assert page.find("attendance", who, group=True, where=where) == wanted, (who, where)


async def test_a_teacher_listens_to_the_rooms_of_own_classes(page, going):
    for who, email in (("the teacher", "teacher@school.example"), ("a co-teacher", "co@school.example")):
        assert page.find("live", who, where=[("teacher_emails", "ARRAY_CONTAINS", email)]) == [going]
    assert page.find("live", "the teacher") is None
    assert page.find("live", "the student", where=[("teacher_emails", "ARRAY_CONTAINS", "co@school.example")]) is None


async def test_a_teacher_lists_own_classes_and_the_attendance_of_one(page, made, ids):
    mine = [("teacher_emails", "ARRAY_CONTAINS", "teacher@school.example")]
    assert page.find("sessions", "the teacher", where=mine) == sorted(made)
    first = {"parent": f"sessions/{made[0]}", "where": mine}
    assert page.find("attendance", "the teacher", **first) == sorted(i for (n, _), i in ids.items() if n == 1)
    assert page.find("attendance", "the teacher", parent=f"sessions/{made[0]}") is None
    assert page.find("sessions", "the teacher") is None
    assert page.find("sessions", "the student", where=mine) is None


CLOSED_COLLECTIONS = (
    *("conferences", "organizers", "people", "registers", "spaces", "audit"),
    *("parked_events", "idempotency", "erased", "erasures", "remarks", "anything"),
)


async def test_all_else_is_closed(page, made):
    first, _ = made
    closed = [
        *(f"{collection}/x" for collection in CLOSED_COLLECTIONS),
        *(f"sessions/{first}/{collection}/1" for collection in ("corrections", "sheet")),
        f"people/{TEACHER.removeprefix('users/')}",
    ]
    for path in closed:
        assert [who for who in WHO if page.get(path, who) is not False] == [], path


async def test_nobody_writes(page, made, ids):
    own = f"sessions/{made[1]}/attendance/{ids[2, PUNCTUAL]}"
    paths = [own, f"sessions/{made[1]}", f"sessions/{made[1]}/attendance/new", "sessions/new", "people/1"]
    allowed = [
        (who, path, method)
        for who in WHO
        for path in paths
        for method in ("PATCH", "DELETE")
        if page.write(path, who, method)
    ]
    assert allowed == []


async def test_without_browsers_everything_is_closed(page, made, ids, going):
    page.has_rules(CLOSED)
    assert {who: found for who, found in readable(page, made, ids, going).items() if found} == {}


# --- The rules' own tests: each condition matters, and each was seen true and false. ---

CONDITIONS = re.compile(
    r"request\.auth\.token\.email_verified == true|[\w.()]+ in emails|request\.auth\.token\.student_id "
    r"is string|request\.auth\.token\.student_id == studentId|hasEmailAmong\(resource[\w.]+\)"
    r"|hasStudentId\(resource[\w.]+\)"
)


def mutants():
    """Return the rules with each condition replaced once by true and once by false."""
    for found in CONDITIONS.finditer(RULES):
        for value in ("true", "false"):
            yield (
                f"line {RULES.count(chr(10), 0, found.start()) + 1}: {found[0]} -> {value}",
                (RULES[: found.start()] + value + RULES[found.end() :]),
            )


async def test_without_any_one_condition_the_table_is_different(page, made, ids, going):
    assert len(list(mutants())) == 18
    queries = [(who, where) for who, where, _ in QUERIES]

    def seen():
        found = [page.find("attendance", who, group=True, where=where) for who, where in queries]
        return readable(page, made, ids, going), found

    right = seen()
    survivors = []
    for name, text in mutants():
        page.has_rules(text)
        if seen() == right:
            survivors.append(name)
    assert survivors == []


async def test_every_condition_was_seen_true_and_false(page, made, ids, going):
    readable(page, made, ids, going)
    for who in WHO:
        page.find("attendance", who, group=True, where=[("student_id", "EQUAL", "S1")])
    seen = {}

    def walk(report):
        place = report["sourcePosition"]
        text = RULES[place["currentOffset"] : place["endOffset"] + 1] if "currentOffset" in place else None
        values = {json.dumps(value["value"].get("boolValue")) for value in report.get("values", ()) if "value" in value}
        seen.setdefault(text or f"{place.get('line')}:{place.get('column')}", set()).update(values)
        for child in report.get("children", ()):
            walk(child)

    for report in page.coverage()["report"]:
        walk(report)
    # Leave out compared values, such as a claim that somebody set to True.
    conditions = {text: values for text, values in seen.items() if not re.fullmatch(r"[\w.]+", text)}
    booleans = {text: values for text, values in conditions.items() if values & {"true", "false"}}
    assert len(booleans) >= 6
    assert {text: values for text, values in booleans.items() if not {"true", "false"} <= values} == {}
