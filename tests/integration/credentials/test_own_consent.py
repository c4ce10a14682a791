"""Teachers' own consents, through google-auth: the main job, and what happens when a consent ends."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import grpc
import pytest

from functions.adapters.consent.errors import ConsentMissing
from functions.adapters.consent.in_file import FileConsents
from functions.adapters.google.credentials.capabilities import Capability
from functions.domain.conferences.model import Identity, IdentitySource, Organizer
from functions.services.teachers.organizers import know
from infra.local.faults import Fault
from infra.local.google_apis import RestFault
from tests.api import slug
from tests.classroom import MARKS, event, job, marks, scheduled, sheet, the_class
from tests.integration.credentials.conftest import ALL_SCOPES, SERVICE_ACCOUNT

TEACHER = "teacher@school.example"
COLLEAGUE = "colleague@school.example"


async def pulled(api, made):
    return await api.post(f"/api/webhook/sessions/{made['session_id']}/sync-participants")


@pytest.fixture
async def made(consenting, calling, keep, school):
    """Hold a class of a teacher who has consented, in the teacher's room."""
    await keep(TEACHER)
    made = await scheduled(calling(consenting()))
    school.hold(the_class(made["space"], made["meeting_code"]))
    return made


async def test_the_whole_main_job_runs_as_the_teacher_who_consented(consenting, calling, keep, school, meet):
    await keep(TEACHER)
    app = consenting()
    api = calling(app)

    made = await scheduled(api)
    conference = the_class(made["space"], made["meeting_code"])
    school.hold(conference)
    await event(app, conference)

    assert made["tracking"] == "active"
    assert await marks(api, made["session_id"]) == MARKS
    assert {call.acting_as for call in meet.calls} == {TEACHER}


async def test_the_same_with_a_private_file_instead_of_secret_manager(
    *, consenting, calling, consented, school, secrets, tmp_path
):
    path = tmp_path / "token.json"
    consent = consented(TEACHER)
    await FileConsents(path).put(consent)
    app = consenting(oauth_token_file=str(path))
    await know(Identity(consent.user, TEACHER, (), None, IdentitySource.PEOPLE), deps=app.deps)

    made = await scheduled(calling(app))
    school.hold(the_class(made["space"], made["meeting_code"]))

    assert (await pulled(calling(app), made)).status_code == 200
    assert await marks(calling(app), made["session_id"]) == MARKS
    assert secrets.calls == Counter()


async def test_a_file_that_others_may_read_is_refused(*, consenting, calling, consented, made, oauth, tmp_path):
    path = tmp_path / "token.json"
    await FileConsents(path).put(consented(TEACHER))
    path.chmod(0o644)
    oauth.calls.clear()

    answer = await pulled(calling(consenting(oauth_token_file=str(path))), made)

    assert answer.status_code == 502
    assert "chmod 600 token.json" in answer.json()["hint"]
    assert str(Path(tmp_path)) not in answer.text
    assert oauth.calls == Counter()


async def test_a_consent_that_was_taken_back_marks_the_teacher_with_what_to_do(consenting, calling, made, oauth):
    oauth.revoke(TEACHER)
    api = calling(consenting())

    answer = await pulled(api, made)

    assert (answer.status_code, slug(answer)) == (502, "insufficient-permissions")
    assert answer.json()["cause"] == "consent-revoked"
    assert "python -m functions.setup_oauth --meet" in answer.json()["hint"]
    assert "Testing" in answer.json()["hint"]
    (organizer,) = (await api.get("/api/organizers")).json()["organizers"]
    assert "python -m functions.setup_oauth --meet" in organizer["subscription"]["error"]["hint"]


async def test_an_instance_takes_the_consent_that_was_given_last(consenting, calling, keep, made, oauth):
    started_before = consenting()
    oauth.revoke(TEACHER)
    await keep(TEACHER)

    assert (await pulled(calling(started_before), made)).status_code == 200


async def test_a_consent_without_a_scope_costs_its_capability_and_nothing_else(consenting, calling, keep, school):
    await keep(TEACHER, set(ALL_SCOPES) - set(Capability.MAKE_ROOM.scopes))
    room = the_class("spaces/existing", "abc-defg-hij")
    school.hold(room)
    api = calling(consenting())

    refused = await api.post(
        "/api/schedule/class",
        json={
            "teacher_email": TEACHER,
            "student_emails": [],
            "subject": "x",
            "start_time": "2026-11-25T09:00:00Z",
            "duration_minutes": 60,
        },
    )
    made = await scheduled(api, meeting_code=room.meeting_code)

    assert (refused.status_code, slug(refused)) == (502, "insufficient-permissions")
    assert refused.json()["cause"] == "scope-not-granted"
    assert Capability.MAKE_ROOM.scopes[0] in refused.json()["hint"]
    assert (await pulled(api, made)).status_code == 200


async def test_a_teacher_who_never_consented_is_told_to(consenting, calling):
    api = calling(consenting())

    answer = await api.post("/api/organizers", json={"email": COLLEAGUE})

    assert (answer.status_code, slug(answer)) == (502, "insufficient-permissions")
    assert answer.json()["cause"] == "consent-missing"
    assert "python -m functions.setup_oauth --meet" in answer.json()["hint"]


async def test_a_deployed_function_that_reads_only_the_secrets_there_are_tells_the_same(consenting, calling, secrets):
    secrets.caller = f"serviceAccount:{SERVICE_ACCOUNT}"
    app = consenting()
    await know(Identity("users/2", COLLEAGUE, (), None, IdentitySource.PEOPLE), deps=app.deps)

    answer = await calling(app).post("/api/organizers", json={"email": COLLEAGUE})

    assert (answer.status_code, answer.json()["cause"]) == (502, "consent-missing")
    assert answer.json()["hint"].startswith("Let the teacher consent: .venv/bin/python -m functions.setup_oauth --meet")
    assert "gcloud secrets add-iam-policy-binding" in answer.json()["hint"]
    assert COLLEAGUE not in answer.text


async def test_an_administrator_whose_consent_is_looked_for_by_address_is_told_to_be_named_by_id(consenting, keep):
    await keep(TEACHER)
    app = consenting(reports_admin=TEACHER)

    with pytest.raises(ConsentMissing) as raised:
        await app.credentials.of(Organizer(email=TEACHER), Capability.REPORTS).metadata()

    assert "Set REPORTS_ADMIN to the users/ID that it prints" in raised.value.hint


@pytest.mark.parametrize(
    ("fault", "status", "hint"),
    [
        (RestFault("token", 503, "backend_error"), 503, "by itself"),
        (RestFault("token", 400, "temporarily_unavailable"), 503, "by itself"),
        (RestFault("token", 429, "rate_limit_exceeded"), 503, "by itself"),
        (RestFault("token", 403, "rate_limit_exceeded"), 503, "by itself"),
        (RestFault("token", 403, page=True), 503, "by itself"),
        (RestFault("token", 401, "deleted_client"), 502, "OAuth client"),
        (RestFault("token", 400, "admin_policy_enforced"), 502, "Manage app access"),
        (Fault("AccessSecretVersion", grpc.StatusCode.UNAVAILABLE), 503, "by itself"),
        (Fault("AccessSecretVersion", grpc.StatusCode.PERMISSION_DENIED), 502, "gcloud secrets add-iam-policy-binding"),
        (
            Fault("AccessSecretVersion", grpc.StatusCode.PERMISSION_DENIED, reason="SERVICE_DISABLED"),
            502,
            "gcloud services enable secretmanager.googleapis.com",
        ),
    ],
)
async def test_every_refusal_says_what_fixes_it(*, consenting, calling, made, oauth, secrets, fault, status, hint):
    before = await sheet(calling(consenting()), made["session_id"])
    if isinstance(fault, RestFault):
        oauth.fail(fault)
    else:
        secrets.faults.set(fault)
    api = calling(consenting())

    answer = await pulled(api, made)

    assert (answer.status_code, hint in answer.json()["hint"]) == (status, True), answer.text
    assert "@school.example" not in answer.text
    assert await sheet(api, made["session_id"]) == before


async def test_two_teachers_are_each_acted_for_with_their_own_consent(consenting, keep, oauth):
    first, second = await keep(TEACHER), await keep(COLLEAGUE)
    app = consenting()
    oauth.revoke(COLLEAGUE)

    await job(app, "renew-subscriptions", organizer=first.user)
    with pytest.raises(Exception, match="consent is no longer valid"):
        await job(app, "renew-subscriptions", organizer=second.user)
