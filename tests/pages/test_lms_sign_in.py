"""Signing in to the page in docs/lms: with a token from the code in docs/lms.md, and with config.js unchanged.

IAM and the metadata server are the stand-ins of `infra.local`, found at Google's addresses. The browser takes the place
of Firebase Authentication: it checks the request and answers.
https://firebase.google.com/docs/auth/admin/create-custom-tokens
"""

from __future__ import annotations

import base64
import json
import re
import sys
import time
import types
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
import pytest_asyncio
from google.auth import jwt

from infra.local.control_plane import make_certificate
from infra.local.google_apis import RestFault
from infra.local.google_network import GoogleNetwork
from infra.local.lms_page import lms_page
from infra.local.metadata_server import MetadataServer
from infra.local.oauth_server import OAuthServer
from infra.local.school import School
from tests.api import ISSUER

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = Path(__file__).parents[2]
PATIENCE = 60_000  # milliseconds; the machine may be busy

LMS = "lms@my-school.iam.gserviceaccount.com"
SIGNER = "lms-tokens@my-school.iam.gserviceaccount.com"
AUDIENCE = "https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit"
ADA = SimpleNamespace(user_id="u-4711", claims={"student_id": "4711"})


@pytest.fixture(scope="module")
def iam(tmp_path_factory):
    """Serve IAM's stand-in at Google's address; the LMS's own account may sign with its tokens."""
    certificate = make_certificate(tmp_path_factory.mktemp("google"))
    with ExitStack() as running:
        iam = running.enter_context(OAuthServer(School(lambda: datetime.now(UTC))).in_thread())
        metadata = running.enter_context(MetadataServer(LMS, ISSUER, project="my-school").in_thread())
        iam.delegate(SIGNER)
        iam.signers.add(metadata.access_token)
        at_google = {"iamcredentials.googleapis.com": iam.endpoint.removeprefix("http://")}
        network = GoogleNetwork(at_google, grpc=(), certificate=certificate)
        variables = {**running.enter_context(network.in_thread()), **metadata.environment}
        with pytest.MonkeyPatch.context() as environment:
            for name, value in {**variables, "TOKEN_SIGNER": SIGNER}.items():
                environment.setenv(name, value)
            yield iam


@pytest.fixture
def back_end(iam, monkeypatch):
    """Return the back end from docs/lms.md, as it is written there; `person` is signed in to the LMS."""
    [code] = [
        block
        for block in re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/lms.md").read_text(), re.MULTILINE | re.DOTALL)
        if ":signJwt" in block
    ]
    lms: Any = types.ModuleType("lms")
    lms.person = lambda _request: client.person
    monkeypatch.setitem(sys.modules, "lms", lms)
    iam.fail()
    defined: dict[str, Any] = {"__name__": "tokens"}
    exec(code, defined)  # noqa: S102 - our own page
    client: Any = httpx.AsyncClient(transport=httpx.ASGITransport(defined["app"]), base_url="http://lms")
    client.person = ADA
    return client


async def test_the_token_is_as_firebase_describes_it_with_the_claim_and_valid_for_minutes(back_end, iam):
    answer = await back_end.post("/attendance-token")

    token = jwt.decode(answer.text, certs=iam.public_key, audience=AUDIENCE)
    assert (token["iss"], token["sub"], token["uid"]) == (SIGNER, SIGNER, "u-4711")
    assert token["claims"] == {"student_id": "4711"}
    assert 0 < token["exp"] - token["iat"] <= 3600
    assert abs(token["iat"] - time.time()) < 60
    assert answer.headers["cache-control"] == "no-store"


async def test_somebody_who_is_not_signed_in_to_the_lms_gets_no_token_and_nothing_is_signed(back_end, iam):
    back_end.person, before = None, iam.calls["signJwt"]

    assert (await back_end.post("/attendance-token")).status_code == 403
    assert iam.calls["signJwt"] == before


async def test_what_iam_says_when_it_refuses_does_not_reach_people(back_end, iam):
    iam.fail(RestFault("signJwt", status=403, reason="secret words"))

    answer = await back_end.post("/attendance-token")

    assert answer.status_code == 504
    assert "Try again" in answer.text
    assert "secret" not in answer.text


class Firebase:
    """The parts of Firebase Authentication that the SDK calls, and a Firestore that cannot be reached."""

    def __init__(self, public_key):
        self.error = None
        self.reads = []
        self._public_key = public_key

    async def authenticate(self, route):
        body = json.loads(route.request.post_data or "{}")
        if self.error:
            await self._answer(route, {"error": {"code": 400, "message": self.error}}, status=400)
        elif "signInWithCustomToken" in route.request.url:
            token = jwt.decode(body["token"], certs=self._public_key, audience=AUDIENCE)
            now = int(time.time())
            times = {"auth_time": now, "iat": now, "exp": now + 3600}
            claims = {**token["claims"], "sub": token["uid"], "user_id": token["uid"], **times}
            self.id_token = ".".join(map(_encoded, [{"alg": "none"}, claims])) + "."
            await self._answer(route, {"idToken": self.id_token, "refreshToken": "refresh", "expiresIn": "3600"})
        else:
            await self._answer(route, {"users": [{"localId": "u-4711"}]})

    async def read(self, route):
        self.reads.append(unquote(route.request.url) + unquote(route.request.post_data or ""))
        await route.abort("connectionrefused")

    @staticmethod
    async def _answer(route, body, *, status=200):
        headers = {"access-control-allow-origin": "*", "access-control-allow-headers": "*"}
        await route.fulfill(json=body, status=status, headers=headers)


def _encoded(part):
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser, back_end, firebase):
    """Give a page that asks the LMS for a token, and Firebase for a sign-in."""
    with lms_page() as address:
        context = await browser.new_context()
        page = await context.new_page()

        async def token(route):
            answer = await back_end.post("/attendance-token")
            await route.fulfill(body=answer.text, status=answer.status_code, content_type="text/plain")

        await page.route("**/attendance-token", token)
        await page.route("https://identitytoolkit.googleapis.com/**", firebase.authenticate)
        await page.route("https://firestore.googleapis.com/**", firebase.read)
        page.address = address
        yield page
        await context.close()


@pytest.fixture
def firebase(iam):
    return Firebase(iam.public_key)


async def problem(page):
    await page.goto(page.address)
    alert = page.get_by_role("alert")
    await alert.wait_for(timeout=PATIENCE)
    return await alert.inner_text()


async def test_the_page_signs_in_with_the_token_asks_firestore_as_that_person_and_says_what_is_missing(page, firebase):
    words = await problem(page)

    assert "Signed in as student number 4711" in await page.locator("main").inner_text()
    assert any(firebase.id_token in read for read in firebase.reads)
    assert "No connection to the database" in words
    assert "Check the connection" in words


async def test_without_a_sign_in_to_the_lms_the_page_says_so_and_asks_firebase_nothing(page, firebase, back_end):
    back_end.person = None

    words = await problem(page)

    assert "Your LMS gave no sign-in for the attendance" in words
    assert firebase.reads == []


async def test_an_unreachable_lms_is_explained(page, firebase):
    await page.route("**/attendance-token", lambda route: route.abort("connectionrefused"))

    words = await problem(page)

    assert "Your LMS gave no sign-in for the attendance" in words
    assert "that it can be reached" in words
    assert firebase.reads == []


async def test_a_person_without_claims_reads_that_the_sign_in_names_nobody(page, firebase, back_end):
    back_end.person = SimpleNamespace(user_id="u-1", claims={})

    words = await problem(page)

    assert "It has neither a student number nor an e-mail address." in words
    assert firebase.reads == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("CREDENTIAL_MISMATCH", "another Google Cloud project"),
        ("INVALID_CUSTOM_TOKEN", "malformed or too old"),
        ("CONFIGURATION_NOT_FOUND", "not switched on"),
    ],
)
async def test_a_refusal_of_firebase_is_explained_with_what_to_do(page, firebase, error, words):
    firebase.error = error

    assert words in await problem(page)
    assert firebase.reads == []
