"""`make run` as a command."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from infra.local.function_server import ROOT
from infra.local.run import Place
from tests.local_stack import free_place, local_stack

ROSTER = [{"student_id": str(n), "email": f"s{n}@my.example", "display_name": f"Student {n}"} for n in range(1, 7)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with local_stack(tmp_path_factory.mktemp("stack")) as place:
        yield place


@pytest.fixture
def controls(stack):
    with httpx.Client(base_url=f"http://127.0.0.1:{stack.port}", timeout=60, trust_env=False) as calls:
        yield calls


@pytest.fixture
def api(stack):
    with httpx.Client(base_url=f"http://127.0.0.1:{stack.port_of('api')}", timeout=60, trust_env=False) as calls:
        yield calls


def scheduled(api, start, **fields):
    body = {
        "teacher_email": "petra@my.example",
        "students": ROSTER,
        "subject": "Mathematics",
        "class_id": "7b",
        "start_time": start.isoformat(),
        "duration_minutes": 45,
        **fields,
    }
    answer = api.post("/api/schedule/class", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def synced(api, session_id):
    answer = api.post(f"/api/webhook/sessions/{session_id}/sync-participants")
    assert answer.status_code == 200, answer.text
    return api.get(f"/api/sessions/{session_id}/attendance").json()


def ago(**time):
    return datetime.now(UTC) - timedelta(**time)


def typed(*arguments):
    return subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "infra.local.run", "--store", "sqlite", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_students_of_my_own_roster_attend_late_early_and_not_at_all_with_guests_among_them(api, controls):
    session_id = scheduled(api, ago(hours=3))["session_id"]

    held = controls.post("/classes", params={"session_id": session_id, "seed": 1})
    assert (held.status_code, held.json()["session_id"]) == (201, session_id)

    sheet = synced(api, session_id)
    marks = {person["student_id"]: person["mark"] for person in sheet["attendance"] if person["role"] == "student"}
    assert marks == {"1": "present", "2": "present", "3": "late", "4": "left_early", "5": "present", "6": "absent"}
    assert {p["kind"] for p in sheet["attendance"] if p["role"] == "guest"} == {"anonymous", "phone", "room"}
    assert sheet["session"]["state"] == "ended"


def test_a_class_of_one_student_is_attended_by_that_student(api, controls):
    made = scheduled(api, ago(hours=5), students=ROSTER[:1])

    assert controls.post("/classes", params={"meeting_code": made["meeting_code"]}).status_code == 201

    [student] = [p for p in synced(api, made["session_id"])["attendance"] if p["role"] == "student"]
    assert (student["student_id"], student["mark"]) == ("1", "present")


def test_a_class_is_held_at_its_own_time_and_goes_on_until_its_end(api, controls):
    made = scheduled(api, ago(minutes=20))

    held = controls.post("/classes", params={"session_id": made["session_id"]}).json()
    session = synced(api, made["session_id"])["session"]

    assert datetime.fromisoformat(held["ends_at"]) == datetime.fromisoformat(made["end_time"])
    assert session["state"] == "live"


def test_a_class_that_is_still_to_come_is_not_held_now_and_the_answer_says_why(api, controls):
    made = scheduled(api, datetime.now(UTC) + timedelta(days=2))

    refused = controls.post("/classes", params={"session_id": made["session_id"]})

    assert refused.status_code == 409
    assert "This class begins at" in refused.text
    assert f"PATCH /api/schedule/class/{made['session_id']}" in refused.text
    assert api.get(f"/api/sessions/{made['session_id']}").json()["state"] == "scheduled"


@pytest.mark.parametrize("which", ["session_id", "meeting_code"])
def test_a_class_that_nobody_scheduled_is_not_found(controls, which):
    refused = controls.post("/classes", params={which: "no-such-one"})

    assert refused.status_code == 404
    assert f"No class has this {which}." in refused.text


@pytest.mark.parametrize("which", ["session_id", "meeting_code"])
def test_a_class_is_not_held_by_strangers_because_its_id_is_empty(controls, which):
    before = controls.get("/conferences").json()

    refused = controls.post("/classes", params={which: ""})

    assert refused.status_code == 422
    assert f"{which} is empty" in refused.text
    assert controls.get("/conferences").json() == before


def test_a_call_of_the_api_that_reaches_the_controls_is_told_where_the_api_is(controls, stack):
    refused = controls.get("/api/sessions")

    assert refused.status_code == 404
    assert f"http://127.0.0.1:{stack.port_of('api')}/" in refused.text


def test_strangers_hold_a_class_that_nobody_scheduled(controls):
    held = controls.post("/classes", params={"people": 3}).json()

    assert held["people"] == 3
    assert held["documents"][0] == f"conferences/{held['session_id']}"
    assert held["conference_record"] in controls.get("/conferences").json()["conference_records"]


def test_the_file_of_variables_says_where_the_api_is_and_every_stack_has_its_own(stack):
    script = f"source {stack.environment.relative_to(ROOT)}; echo $API $CONTROLS $AUTH_MODE"
    shown = subprocess.run(["/bin/bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - our own file

    assert shown.stdout.split() == [f"http://127.0.0.1:{stack.port + 1}", f"http://127.0.0.1:{stack.port}", "anonymous"]
    assert len({Place(port).folder for port in (8090, 8190, stack.port)}) == 3


def test_a_second_stack_on_the_same_ports_is_refused_and_writes_nothing():
    place = free_place()
    with socket.create_server(("127.0.0.1", place.port_of("on_job"))):
        refused = typed("--port", str(place.port))

    assert refused.returncode == 1
    assert f"cannot listen on port {place.port_of('on_job')}" in refused.stderr
    [other] = re.findall(r"make run STORE=sqlite PORT=([0-9]+)$", refused.stderr.strip())
    assert int(other) not in place.ports
    assert refused.stdout == ""
    assert not place.folder.exists()


@pytest.mark.parametrize("port", ["80999", "abc", "80"])
def test_a_port_that_cannot_be_is_refused_in_one_line(port):
    refused = typed("--port", port)

    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].endswith("should be a number from 1024 to 65000, such as 8190")
