"""The edge of the HTTP API: access, bodies, errors and logs."""

import asyncio
import json
import logging
from datetime import UTC, datetime

import httpx
import pytest

from functions.adapters.google.calls.services import MEET
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.domain.errors import StoreUnavailable, WrongSetting
from functions.entrypoints.api import function, problems
from functions.entrypoints.api.middleware import Edge
from infra.local.function_server import function_server
from tests.api import CALLERS, LMS, OPERATOR, client, fields, slug, token

A_CLASS = {
    "teacher_email": "teacher@school.example",
    "student_emails": ["ada@school.example"],
    "subject": "Maths",
    "start_time": datetime.now(UTC).isoformat(),
    "duration_minutes": 50,
}


@pytest.fixture
def app(instance):
    return instance(api_callers=CALLERS)


@pytest.fixture
async def api(app):
    async with client(app) as calls:
        yield calls


@pytest.mark.parametrize(
    ("authorization", "detail"),
    [
        (None, "The request has no token."),
        ("Bearer junk", "The token is not valid for this service."),
        (token("stranger@school.example"), "The token is valid, but its account has no role here."),
    ],
    ids=["no token", "junk", "no role"],
)
async def test_a_refused_caller_reads_why_and_learns_nothing_about_what_exists(app, authorization, detail):
    paths = ["/api/sessions", "/openapi.json", "/", "/nothing", "/api/schedule/class/x"]
    headers = {"Authorization": authorization} if authorization else {}
    async with client(app, caller=None) as calls:
        answers = [
            await calls.request(m, path, headers=headers) for m in ("GET", "DELETE", "OPTIONS") for path in paths
        ]
        answers += [await calls.post(path, content=b"x" * 2_000_000, headers=headers) for path in paths]

    assert {(answer.status_code, answer.text) for answer in answers} == {(403, answers[0].text)}
    assert (slug(answers[0]), answers[0].json()["detail"]) == ("not-permitted", detail)
    assert answers[0].json()["hint"]


async def test_an_lms_may_neither_track_teachers_nor_see_the_status(app):
    async with client(app, caller=LMS) as calls:
        answers = [
            await calls.get("/api/organizers"),
            await calls.post("/api/organizers", json={"email": "ada@school.example"}),
            await calls.delete("/api/organizers/1"),
            await calls.get("/api/status"),
        ]
        allowed = await calls.get("/api/sessions")

    assert [slug(answer) for answer in answers] == ["not-permitted"] * 4
    assert {answer.json()["detail"] for answer in answers} == {
        "This call needs the role admin; the caller has the role lms."
    }
    assert {answer.status_code for answer in answers} == {403}
    assert allowed.status_code == 200


async def test_a_token_is_believed_without_its_signature_on_cloud_run_alone(app, instance, monkeypatch):
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:9")
    store = {"attendance_store": "firestore", "firestore_emulator_host": "127.0.0.1:9", "google_cloud_project": "p-1"}
    on_cloud_run = instance(k_service="meet-attendance-api", api_callers=CALLERS, **store)
    cut = f"{token(OPERATOR).rpartition('.')[0]}.SIGNATURE_REMOVED_BY_GOOGLE"
    statuses = []
    for one in (on_cloud_run, app):
        async with client(one, caller=None) as calls:
            statuses.append((await calls.get("/openapi.json", headers={"Authorization": cut})).status_code)

    assert statuses == [200, 403]


async def test_without_an_audience_no_caller_can_be_checked_and_the_setting_is_named_in_the_log(instance, caplog):
    async with client(instance(api_callers=CALLERS, api_audience=None)) as calls:
        answer = await calls.get("/api/sessions")

    assert (answer.status_code, slug(answer)) == (500, "wrong-setting")
    assert [one.detail for one in caplog.records if "API_AUDIENCE" in getattr(one, "detail", "")]
    assert "API_AUDIENCE" not in answer.text


async def test_while_nobody_shows_googles_certificates_callers_are_asked_to_come_again(instance):
    nowhere = {"id_token_certificates_endpoint": "http://127.0.0.1:9"}
    unreachable = instance(api_callers=CALLERS, **nowhere)
    async with client(unreachable) as calls:
        answer = await calls.get("/api/sessions")

    assert (answer.status_code, slug(answer)) == (503, "certificates-unavailable")
    assert int(answer.headers["retry-after"]) > 0


async def test_the_token_behind_cloud_runs_own_header_counts(app):
    async with client(app, caller=None) as calls:
        answer = await calls.get(
            "/api/status", headers={"X-Serverless-Authorization": token("operator@school.example")}
        )

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "expected"),
    [
        ("GET", "/api/session", 404, "not-found"),
        ("GET", "/api/sessions/", 404, "not-found"),
        ("GET", "/api/sessions/nothing", 404, "not-found"),
        ("GET", "/api/sessions/__x__", 404, "not-found"),
        ("GET", "/api/sessions/..", 404, "not-found"),
        ("GET", "/api/sessions/a%20b/attendance", 404, "not-found"),
        ("GET", "/docs", 404, "not-found"),
        ("POST", "/api/sessions", 405, "method-not-allowed"),
        ("TRACE", "/api/sessions", 405, "method-not-allowed"),
        ("GET", "/api/sessions?colour=red", 422, "invalid-request"),
        ("GET", "/api/sessions/x/attendance?format=xml", 422, "invalid-request"),
        ("GET", "/api/sessions/x/attendance?bom=1", 422, "invalid-request"),
        ("GET", "/api/sessions/x/attendance?format=html&bom=1", 422, "invalid-request"),
        ("GET", "/api/sessions/x/attendance?format=html", 404, "not-found"),
        ("GET", "/api/sessions/x/attendance?format=csv", 404, "not-found"),
        ("GET", "/api/students/s1/attendance?format=html", 422, "invalid-request"),
        ("GET", "/api/students/s1/attendance?format=csv&page_size=10", 422, "invalid-request"),
        ("GET", "/api/classes/7b/register?month=2026-13&format=html", 422, "invalid-request"),
        ("GET", "/api/classes/7b/register", 422, "invalid-request"),
        ("GET", "/api/classes/7b/register?month=2026-13", 422, "invalid-request"),
        ("POST", "/api/webhook/sessions/x/sync-participants?source=guesswork", 422, "invalid-request"),
    ],
)
async def test_what_cannot_be_answered_is_a_problem(api, method, path, status, expected):
    answer = await api.request(method, path)

    assert (answer.status_code, slug(answer)) == (status, expected)


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": 1', b"nothing"])
async def test_a_body_that_is_not_json_is_malformed(api, body):
    answer = await api.post("/api/schedule/class", content=body)

    assert (answer.status_code, slug(answer)) == (400, "malformed-request")


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"x"', b"NaN"])
async def test_json_that_is_not_an_object_is_invalid(api, body):
    assert fields(await api.post("/api/schedule/class", content=body)) == ["body"]


async def test_a_body_over_a_megabyte_is_too_large_also_without_its_length(api):
    async def chunks():
        for _ in range(11):
            yield b"x" * 100_000

    told = await api.post("/api/schedule/class", content=b"x" * 1_000_001)
    chunked = await api.put("/api/sessions/x/roster", content=chunks())
    fits = await api.post("/api/schedule/class", content=b" " * 1_000_000)

    assert [slug(told), slug(chunked), slug(fits)] == ["too-large", "too-large", "malformed-request"]
    assert told.status_code == chunked.status_code == 413


async def test_a_body_of_another_kind_is_told_to_be_json(api):
    answer = await api.post("/api/schedule/class", data=A_CLASS)
    declared = {"content-type": "application/vnd.lms+json; charset=utf-8"}

    assert (answer.status_code, slug(answer)) == (415, "unsupported-media-type")
    assert fields(await api.post("/api/schedule/class", content=b"{}", headers=declared))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"teacher_email": "teacher"}, "teacher_email"),
        ({"teacher_email": None}, "teacher_email"),
        ({"student_emails": ["ada@school.example", "no"]}, "student_emails.1"),
        ({"student_emails": ["ada@school.example", "ADA@school.example"]}, "student_emails.1"),
        ({"student_emails": ["a@school.example"] * 2001}, "student_emails"),
        ({"student_emails": None}, "students"),
        ({"students": []}, "students"),
        ({"student_emails": None, "students": [{"display_name": "Ada"}]}, "students.0"),
        ({"student_emails": None, "students": [{"student_id": "1"}, {"student_id": "1"}]}, "students.1"),
        ({"student_emails": None, "students": [{"student_id": "a\u200bb"}]}, "students.0.student_id"),
        ({"student_emails": None, "students": [{"student_id": "1", "age": 9}]}, "students.0.age"),
        ({"subject": "  "}, "subject"),
        ({"subject": "a\x07"}, "subject"),
        ({"subject": 7}, "subject"),
        ({"start_time": "2026-11-23T09:00:00"}, "start_time"),
        ({"start_time": "2020-11-23T09:00:00Z"}, "start_time"),
        ({"start_time": "9000-11-23T09:00:00Z"}, "start_time"),
        ({"start_time": "9999-12-31T23:59:59Z"}, "start_time"),
        ({"duration_minutes": 0}, "duration_minutes"),
        ({"duration_minutes": 1441}, "duration_minutes"),
        ({"duration_minutes": 45.5}, "duration_minutes"),
        ({"duration_minutes": True}, "duration_minutes"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"policy": {"grades": 1}}, "policy.grades"),
        ({"policy": {"min_share": 1.5}}, "policy.min_share"),
        ({"policy": {"late_after_minutes": -1}}, "policy.late_after_minutes"),
        ({"policy": {"late_after_minutes": "5"}}, "policy.late_after_minutes"),
        ({"policy": {"marks": 1}}, "policy.marks"),
        ({"policy": {"window": "always"}}, "policy.window"),
        ({"external_id": "x" * 201}, "external_id"),
        ({"meeting_code": "https://evil.example/abc-mnop-xyz"}, "meeting_code"),
        ({"meeting_code": "abc-mnop"}, "meeting_code"),
        ({"meeting_code": "abcmnopxyzz"}, "meeting_code"),
        ({"calendar": True}, "calendar"),
        ({"colour": "red"}, "colour"),
        ({"recurrence": ""}, "recurrence"),
    ],
)
async def test_a_class_that_cannot_be_scheduled_names_the_field(api, change, named):
    assert fields(await api.post("/api/schedule/class", json={**A_CLASS, **change})) == [named]


async def test_no_problem_repeats_what_was_sent(api):
    personal = "ada.lovelace@school.example"
    bodies = [
        {personal: 1},
        {**A_CLASS, "teacher_email": f"{personal} "},
        {**A_CLASS, "student_emails": [personal, personal]},
        {
            **A_CLASS,
            "student_emails": [f"<{personal}>"],
            "start_time": personal,
            "time_zone": personal,
            "policy": personal,
        },
        {**A_CLASS, "student_emails": None, "students": [{personal: personal, "user": personal}]},
        {**A_CLASS, "policy": {personal: personal}, "meeting_code": personal, "duration_minutes": personal},
    ]
    answers = [await api.post("/api/schedule/class", json=body) for body in bodies]
    answers.append(
        await api.get(f"/api/sessions?{personal}={personal}&state={personal}&from={personal}&page_token={personal}")
    )
    answers.append(await api.get(f"/api/sessions/{personal}"))
    answers.append(await api.get(f"/{personal}"))
    answers.append(await api.put("/api/sessions/x/policy", content=f'{{"{personal}'.encode()))

    assert all(answer.status_code >= 400 for answer in answers if answer is not answers[1])
    assert not [answer.text for answer in answers if personal in answer.text]


async def test_nothing_is_cached_and_every_answer_says_what_it_is(api):
    for answer in [await api.get("/api/sessions"), await api.get("/nothing"), await api.get("/openapi.json")]:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_head_is_get_without_its_body_and_options_lists_the_methods(api):
    full, head = await api.get("/api/sessions"), await api.head("/api/sessions")
    options = await api.options("/api/sessions/x/attendance/y/override")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == full.headers["content-length"]
    assert (options.status_code, options.headers["allow"]) == (204, "DELETE, OPTIONS, PUT")
    assert (await api.post("/api/sessions")).headers["allow"] == "GET, HEAD, OPTIONS"


async def test_a_store_that_does_not_answer_is_worth_another_try(instance, tmp_path):
    app = instance(api_callers=CALLERS, attendance_store=f"sqlite:///{tmp_path}/missing/folder/a.db")
    async with client(app) as api:
        answer = await api.get("/api/sessions")

    assert (answer.status_code, slug(answer)) == (503, "store-unavailable")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (MEET.unavailable("x"), 503, "meet-unavailable"),
        (StoreUnavailable("x"), 503, "store-unavailable"),
        (MEET.disabled("x"), 502, "meet-api-disabled"),
        (WrongSetting("API_CALLERS: secret"), 500, "wrong-setting"),
    ],
)
def test_errors_are_told_by_who_can_do_something_about_them(error, status, expected):
    problem = problems.of(error)

    assert (problem.status, problem.slug) == (status, expected)
    assert "secret" not in problem.response().body.decode()


async def called(app, *requests):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as calls:
        return [await calls.get(path) for path in requests]


async def test_an_unexpected_error_is_answered_and_logged_without_its_text(caplog):
    async def broken(_scope, _receive, _send):
        raise KeyError(sent)

    sent = "ada@school.example"
    with caplog.at_level(logging.INFO):
        [answer] = await called(Edge(broken), "/api/students/ada@school.example/attendance?x=ada@school.example")

    assert (answer.status_code, slug(answer)) == (500, "internal-error")
    ours = [record for record in caplog.records if record.name.startswith("functions")]
    assert [record.message for record in ours] == ["request.failed", "request.answered"]
    assert "in broken" in ours[0].stack_trace
    assert not any("ada@" in str(vars(record)) for record in ours)


async def test_a_request_that_takes_too_long_is_ended():
    async def slow(_scope, _receive, _send):
        await asyncio.Event().wait()

    [answer] = await called(Edge(slow, within=0.01), "/")

    assert (answer.status_code, slug(answer)) == (503, "out-of-time")


async def test_a_wrong_setting_is_reported_without_its_value_and_tried_again():
    def build():
        raise WrongSetting("API_CALLERS: should be something else")

    [answer] = await called(function.serve(build), "/api/sessions")

    assert (answer.status_code, slug(answer)) == (500, "wrong-setting")
    assert "API_CALLERS" not in answer.text


def test_the_function_serves_the_api_and_logs_routes_only(meet_in_thread, checking, tmp_path):
    env = {
        "AUTH_MODE": "anonymous",
        "MEET_API_ENDPOINT": meet_in_thread.endpoint,
        "ATTENDANCE_STORE": f"sqlite:///{tmp_path}/attendance.db",
        "API_CALLERS": CALLERS,
        **checking,
    }
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"Authorization": token(LMS), "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    with function_server("api", env=env, log=tmp_path / "api.log", signature="http") as served:
        found = httpx.get(f"{served.url}/api/students/ada@school.example/attendance?from=2026-11-01", headers=headers)
        refused = httpx.get(f"{served.url}/api/students/ada@school.example/attendance")
        forged = {"Authorization": f"{token(LMS).rpartition('.')[0]}.SIGNATURE_REMOVED_BY_GOOGLE"}
        believed = httpx.get(f"{served.url}/api/status", headers=forged)
        large = httpx.post(f"{served.url}/api/schedule/class", content=iter([b"x" * 600_000] * 2), headers=headers)
        head = httpx.head(f"{served.url}/api/sessions", headers=headers)
        unknown = httpx.get(f"{served.url}/a/ada@school.example", headers=headers)
    printed = (tmp_path / "api.log").read_text()

    assert found.json() == {"attendance": [], "next_page_token": None}
    assert [slug(refused), slug(believed)] == ["not-permitted", "not-permitted"]
    assert [slug(large), slug(unknown)] == ["too-large", "not-found"]
    assert token(LMS)[20:60] not in printed
    assert (head.status_code, head.content) == (200, b"")
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    access = [line for line in lines if line["message"] == "request.answered"]
    with_trace = [line for line in access if line.get("logging.googleapis.com/trace") == trace]
    assert with_trace[0]["route"] == "/api/students/{student}/attendance"
    assert [line["status"] for line in with_trace] == [200, 413, 200, 404]
    assert all(isinstance(line["milliseconds"], int) for line in access)
    assert "ada@" not in printed


@pytest.fixture
def meet_in_thread(school):
    from infra.local.meet import MeetSimulator  # noqa: PLC0415

    with MeetSimulator(school).in_thread() as simulator:
        yield simulator


async def test_the_store_of_an_application_is_not_touched_by_a_refused_request(app, tmp_path):
    async with client(app) as calls:
        await calls.post("/api/schedule/class", json={**A_CLASS, "subject": ""})

    assert await SqliteDatabase(tmp_path / "attendance.db").children("sessions") == []
