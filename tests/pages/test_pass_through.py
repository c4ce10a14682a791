"""People get the pages through an LMS's back end: the code from `docs/lms.md`, run unchanged."""

from __future__ import annotations

import socketserver
import threading

import httpx
import pytest

from infra.local.lms_backend import php_backend, python_backend
from infra.local.metadata_server import MetadataServer
from infra.local.month import MONTH
from infra.local.showcase import CLASS_ID, LARGE_CLASS_ID, classes_of
from tests.api import LMS, token

PASSED_ON = {
    "content-type",
    "content-disposition",
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
    "cache-control",
    "etag",
}
TEACHER = {"teacher": CLASS_ID}


@pytest.fixture(params=["python", "php"])
def lms(request):
    with httpx.Client(
        base_url=request.getfixturevalue(f"lms_in_{request.param}"), cookies=TEACHER, trust_env=False, timeout=60
    ) as client:
        yield client


@pytest.fixture
def direct(api):
    """Return a client that calls as the LMS's back end itself."""
    with httpx.Client(
        base_url=f"{api}/api", headers={"Authorization": token(aud=api)}, trust_env=False, timeout=60
    ) as client:
        yield client


def pages(showcase):
    return [
        f"/sessions/{showcase.report}/attendance?format=html",
        f"/sessions/{showcase.report}/attendance?format=csv&bom=1",
        f"/sessions/{showcase.report}/attendance",
        f"/classes/{CLASS_ID}/register?month={MONTH}&format=html",
        f"/classes/{CLASS_ID}/register?month={MONTH}&format=csv",
    ]


def headers_that_count(answer):
    return {name: value for name, value in answer.headers.items() if name in PASSED_ON}


def without_nonce(text):
    """Return a page without the part that changes each time."""
    head, *rest = text.split("nonce-")
    nonce = rest[0].split("'")[0] if rest else text.partition('nonce="')[2].partition('"')[0]
    return text.replace(nonce, "") if nonce else head


def test_anybody_who_may_see_a_page_gets_status_body_and_headers_as_the_api_gave_them(lms, direct, showcase):
    for page in pages(showcase):
        passed_on, asked = lms.get(page), direct.get(page)

        assert (page, passed_on.status_code) == (page, asked.status_code) == (page, 200)
        assert without_nonce(passed_on.text) == without_nonce(asked.text)
        given, meant = headers_that_count(passed_on), headers_that_count(asked)
        assert {name: without_nonce(value) for name, value in given.items()} == {
            name: without_nonce(value) for name, value in meant.items()
        }
        assert {"content-type", "cache-control", "x-content-type-options"} <= set(given)


def test_a_workbook_is_passed_on_byte_by_byte(lms, direct, showcase):
    for page in (
        f"/sessions/{showcase.report}/attendance?format=xlsx",
        f"/classes/{CLASS_ID}/register?month={MONTH}&format=xlsx",
    ):
        passed_on, asked = lms.get(page), direct.get(page)

        assert asked.content[:2] == b"PK"
        assert (passed_on.status_code, passed_on.content) == (200, asked.content)
        assert headers_that_count(passed_on) == headers_that_count(asked)


def test_the_api_itself_shows_a_browser_nothing(api, showcase):
    for page in pages(showcase):
        refused = httpx.get(f"{api}/api{page}", cookies=TEACHER, trust_env=False, timeout=60)

        assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (403, "not-permitted")


def test_anybody_who_may_not_see_a_page_cannot_tell_it_from_one_that_is_not_there(lms, showcase):
    others = [f"/sessions/{showcase.large}/attendance?format=html", f"/classes/{LARGE_CLASS_ID}/register?month={MONTH}"]
    answers = [
        lms.get(page) for page in [*others, "/sessions/unknown/attendance", "/classes/unknown/register?month=2026-11"]
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1


def test_nothing_else_of_the_api_can_be_reached(lms):
    for page in [
        "/sessions",
        "/sessions/..%2F..%2Fstatus%3F/attendance",
        f"/classes/{CLASS_ID}%2F..%2F..%2Fstatus%3F/register",
        "/classes/../status",
        "/sessions/./attendance",
    ]:
        assert (page, lms.get(page).status_code) == (page, 404)


def test_what_the_api_refuses_is_passed_on_with_its_reason(lms):
    refused = lms.get(f"/classes/{CLASS_ID}/register?month=November")

    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["errors"][0]["field"] == "month"


@pytest.fixture
def failing_api():
    """Return the address of a function that closes one connection without an answer, and the next during the answer."""

    class Cut(socketserver.BaseRequestHandler):
        words = iter([b""])

        def handle(self):
            self.request.recv(65536)
            cut = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\n<h1>Half"
            self.request.sendall(next(self.words, cut))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Cut) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        serving.join()


@pytest.fixture
def asked():
    """Return the address of a function that only records requests, and the recorded requests."""
    requests = []

    class Keep(socketserver.BaseRequestHandler):
        def handle(self):
            requests.append(self.request.recv(65536))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Keep) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", requests
        server.shutdown()
        serving.join()


@pytest.mark.parametrize("backend", [python_backend, php_backend])
def test_an_error_of_the_metadata_server_is_not_used_as_a_token(backend, asked, showcase, issuer, tmp_path):
    api, requests = asked
    with (
        MetadataServer(LMS, issuer).in_thread() as metadata,
        backend(api, classes=classes_of(showcase), env=metadata.environment, folder=tmp_path / "lms") as address,
    ):
        metadata.take_account_away()
        page = f"{address}/sessions/{showcase.report}/attendance?format=html"
        answer = httpx.get(page, cookies=TEACHER, trust_env=False, timeout=60)

    assert (answer.status_code, requests) == (504, [])
    assert "Try again" in answer.text
    assert "service account" not in answer.text


@pytest.mark.parametrize("backend", [python_backend, php_backend])
def test_without_a_whole_answer_of_the_api_people_are_told_to_try_again(
    backend, failing_api, showcase, metadata_server, tmp_path
):
    classes = classes_of(showcase)
    with backend(failing_api, classes=classes, env=metadata_server.environment, folder=tmp_path / "lms") as address:
        page = f"{address}/sessions/{showcase.report}/attendance?format=html"
        answers = [httpx.get(page, cookies=TEACHER, trust_env=False, timeout=60) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [504, 504]
    for answer in answers:
        assert "Try again" in answer.text
        assert "127.0.0.1" not in answer.text
        assert "Half" not in answer.text
