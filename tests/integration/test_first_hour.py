"""A developer's first hour: the commands in docs/lms.md and docs/api.md are run, and clients are generated."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from infra.local.function_server import ROOT
from infra.local.processes import free_port
from tests.local_stack import local_stack

PAGE = (ROOT / "docs" / "lms.md").read_text(encoding="utf-8")
API_PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
PATH, CLIENTS = "Half an hour: from nothing to a mark on a page of your own", "A client in your language"
NODE_MODULES = ROOT / "tests" / "clients" / "node_modules"
STUDENTS = {"4711": "Ada", "4712": "Bob", "4713": "Cleo", "4714": "Dan"}


def blocks(heading, *languages, page=PAGE):
    """Return the code of a section, in the page's order."""
    [section] = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", page, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"^```(\w+)\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    return [code for language, code in found if language in languages]


def run(command, *, cwd, **env):
    """Return what a program prints; it must succeed."""
    done = subprocess.run(  # noqa: S603 - what our own page shows
        command,
        cwd=cwd,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **env},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with local_stack(tmp_path_factory.mktemp("stack")) as place:
        yield place


@pytest.fixture(scope="module")
def api(stack):
    with httpx.Client(base_url=f"http://127.0.0.1:{stack.port_of('api')}", timeout=60, trust_env=False) as calls:
        yield calls


@pytest.fixture(scope="module")
def typed(stack, tmp_path_factory):
    """Run every line of the first section; return what each of its blocks printed."""
    start, load, *steps = blocks(PATH, "sh")
    assert start == "make run STORE=sqlite\n"
    page = tmp_path_factory.mktemp("page") / "page.py"
    [program] = blocks(PATH, "python")
    port = str(free_port())
    page.write_text(program.replace("8100", port))
    script = "\necho '--- next'\n".join([load, *steps])
    for as_written, here in (
        (".local/run/env", str(stack.environment)),
        (".local/page.py", shlex.quote(str(page))),
        (".venv/bin/python", shlex.quote(sys.executable)),
        ("127.0.0.1:8100", f"127.0.0.1:{port}"),
    ):
        assert as_written in script, as_written
        script = script.replace(as_written, here)
    # It runs with job control, as in a terminal, so that the page's server ends with it.
    printed = run(["/bin/bash", "-c", f"set -meo pipefail; trap 'kill %1' EXIT\n{script}"], cwd=ROOT)
    return printed.split("--- next\n")


@pytest.fixture(scope="module")
def session_id(typed):
    """Return the session id of the class in the first section, which was held and read."""
    return typed[1].strip()


def test_half_an_hour_leads_to_the_mark_of_a_student_of_ones_own_on_a_page_of_ones_own(typed):
    _, session_id, held, marks, report, page, corrected = typed

    assert f'"session_id":"{session_id.strip()}"' in held
    for name, mark in {"Ada": "present", "Bob": "present", "Cleo": "late", "Dan": "absent"}.items():
        assert re.search(rf"^{name}: {mark}\. .+\.$", marks, re.MULTILINE), marks
        assert re.search(rf"<tr><td>{name}<td>{mark}<td>", page), page
    assert report.strip().endswith(f"/api/sessions/{session_id.strip()}/attendance?format=html")
    assert corrected.startswith("Dan: excused\n")
    assert "<tr><td>Dan<td>excused<td>Doctor&#x27;s appointment" in corrected
    for rows in (page, corrected):
        assert re.findall(r"<tr><td>(\w+)", rows) == list(STUDENTS.values())


def test_the_page_of_ones_own_runs_nothing_that_a_participant_typed_as_a_name(typed):
    assert "escape(" in blocks(PATH, "python")[0]
    assert "<h1>Mathematics</h1>" in typed[5]


def test_a_generated_python_client_schedules_syncs_reads_corrects_and_pages(stack, api, session_id, tmp_path):
    generate = blocks(CLIENTS, "sh")[0]
    [program] = blocks(CLIENTS, "python")
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / "first.py").write_text(program)

    assert "arning" not in run(["/bin/bash", "-c", generate], cwd=tmp_path)
    run([sys.executable, "-m", "mypy", "--follow-imports", "silent", "first.py"], cwd=tmp_path)
    api_url = f"http://127.0.0.1:{stack.port_of('api')}"
    printed = run([sys.executable, "first.py"], cwd=tmp_path, API=api_url, SESSION=session_id)

    assert_done(printed, api, session_id, class_id="python")


def test_a_generated_typescript_client_schedules_syncs_reads_corrects_and_pages(stack, api, session_id, tmp_path):
    assert NODE_MODULES.exists(), "the packages of npm are missing; `make test` installs them, or: make node-modules"
    [generate] = [block for block in blocks(CLIENTS, "sh") if "openapi-typescript" in block]
    [program] = blocks(CLIENTS, "ts")
    for name in ("node_modules", "package.json"):
        (tmp_path / name).symlink_to(NODE_MODULES.parent / name)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / "first.ts").write_text(program)

    run(["/bin/bash", "-c", generate], cwd=tmp_path)
    strict = ["--strict", "--noEmitOnError", "--skipDefaultLibCheck", "--module", "nodenext", "--target", "es2022"]
    run([str(NODE_MODULES / ".bin" / "tsc"), *strict, "first.ts"], cwd=tmp_path)
    api_url = f"http://127.0.0.1:{stack.port_of('api')}"
    printed = run(["node", "first.js"], cwd=tmp_path, API=api_url, SESSION=session_id)

    assert_done(printed, api, session_id, class_id="typescript")


def assert_done(printed, api, session_id, *, class_id):
    """Check that the program reported what it did, and that the API shows it."""
    [made] = api.get("/api/sessions", params={"class_id": class_id}).json()["sessions"]
    assert made["meeting_uri"] in printed
    assert re.search(r"^Synced \d+ participants$", printed, re.MULTILINE), printed
    assert re.search(r"^Ada present Was there for", printed, re.MULTILINE), printed
    people = api.get(f"/api/sessions/{session_id}/attendance").json()["attendance"]
    assert {p["student_id"]: p["mark"] for p in people if p["role"] == "student"}["4713"] == "excused"
    shown = re.findall(r"^Page: \[ ?'(\w+)' ?\]$", printed, re.MULTILINE)
    every = [session["session_id"] for session in api.get("/api/sessions").json()["sessions"]]
    assert shown == every
    assert len(every) > 1


@pytest.fixture
def held(stack, api):
    """Hold and read a class with its own roster."""
    students = [
        {"student_id": "4711", "email": "ada@my.example", "display_name": "Ada"},
        {"student_id": "4712", "email": "bob@my.example", "display_name": "Bob"},
        {"student_id": "4714", "email": "dan@my.example", "display_name": "Dan"},
    ]
    body = {
        "teacher_email": "petra@my.example",
        "students": students,
        "subject": "History",
        "class_id": "8c",
        "start_time": (datetime.now(UTC) - timedelta(hours=4)).isoformat(),
        "duration_minutes": 45,
    }
    session_id = api.post("/api/schedule/class", json=body).json()["session_id"]
    assert controls(stack, "/classes", session_id=session_id)["session_id"] == session_id
    assert api.post(f"/api/webhook/sessions/{session_id}/sync-participants").status_code == 200
    return session_id


@pytest.fixture
def elsewhere(stack):
    """Hold a call of strangers in their own room; its event is delivered before anybody requests it."""
    strangers = controls(stack, "/classes", people=3)
    told = {"conferenceRecord": {"name": strangers["conference_record"]}}
    attributes = {
        "ce-type": "google.workspace.meet.conference.v2.ended",
        "ce-subject": "//cloudidentity.googleapis.com/users/104729104729104729104",
    }
    data = base64.b64encode(json.dumps(told).encode()).decode()
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
        "ce-source": "//pubsub.googleapis.com/projects/any/topics/workspace-events",
    }
    event = {"message": {"messageId": "1", "attributes": attributes, "data": data}}
    url = f"http://127.0.0.1:{stack.port_of('on_workspace_event')}"
    httpx.post(url, headers=headers, json=event, timeout=60, trust_env=False)
    return strangers


def controls(stack, path, **query):
    answer = httpx.post(f"http://127.0.0.1:{stack.port}{path}", params=query, timeout=60, trust_env=False)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_every_call_of_the_api_page_is_accepted_as_it_is_written(stack, api, held, elsewhere, tmp_path):
    monday = datetime.now(UTC) + timedelta(days=7 - datetime.now(UTC).weekday())
    here = {
        "2026-11-30": f"{monday:%F}",
        "2026-12-07": f"{monday + timedelta(days=7):%F}",
        "7b": "8c",  # a class that no other test uses
        "curl ": "curl --silent --show-error --fail-with-body ",
    }
    variables = {
        "API": f"http://127.0.0.1:{stack.port_of('api')}",
        "SESSION": held,
        "OTHER": elsewhere["session_id"],
        "RECORD": elsewhere["conference_record"].removeprefix("conferenceRecords/"),
        "TOKEN": "any",
    }
    calls = 0
    for section in ("Schedule", "Ask", "Look: pages and files", "Correct", r"Operate.*?"):
        script = "\n".join(blocks(section, "sh", page=API_PAGE))
        for as_written, instead in here.items():
            script = script.replace(as_written, instead)
        run(["/bin/bash", "-c", f"set -eo pipefail\n{script}"], cwd=tmp_path, **variables)
        calls += script.count("curl ")

    assert calls >= 28
    session = api.get(f"/api/sessions/{held}").json()
    assert [student["student_id"] for student in session["roster"]] == ["4711"]
    assert session["policy"]["late_after_minutes"] == 10
