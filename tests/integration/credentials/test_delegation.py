"""Domain-wide delegation without a key, through google-auth: the right teacher, and a name for every refusal."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.adapters.google.credentials.capabilities import Capability
from functions.domain.conferences.model import Identity, IdentitySource, Organizer
from functions.domain.errors import ReportsNotSetUp
from functions.entrypoints.messages.envelope import Message
from functions.entrypoints.messages.events import process
from functions.services.teachers.organizers import know
from infra.local.google_apis import RestFault
from infra.local.school import Account
from tests.api import LMS, slug
from tests.classroom import MARKS, event, job, marks, scheduled, sheet, the_class
from tests.integration.credentials.conftest import ALL_SCOPES, CLIENT_ID, SERVICE_ACCOUNT

READ = Capability.MEETINGS.scopes[0]
TEACHER = "teacher@school.example"
COLLEAGUE = "colleague@school.example"


@pytest.fixture
def api(delegated, calling):
    return calling(delegated())


async def pulled(api, session_id):
    return await api.post(f"/api/webhook/sessions/{session_id}/sync-participants")


def subjects(oauth):
    """Return the accounts that the service account acted for, and the scopes."""
    return {(claims["sub"], claims["scope"]) for claims in oauth.grants.assertions}


async def test_the_whole_main_job_runs_as_the_teacher(delegated, calling, school, oauth, meet):
    app = delegated()
    api = calling(app)
    made = await scheduled(api)
    conference = the_class(made["space"], made["meeting_code"])
    school.hold(conference)

    await event(app, conference)

    assert made["tracking"] == "active"
    assert await marks(api, made["session_id"]) == MARKS
    assert {call.acting_as for call in meet.calls} == {TEACHER}
    assert {subject for subject, _ in subjects(oauth)} == {TEACHER}
    assert {claims["iss"] for claims in oauth.grants.assertions} == {SERVICE_ACCOUNT}


@pytest.mark.parametrize("subject", ["//meet.googleapis.com/conferenceRecords/rec-1", "meet.googleapis.com/spaces/x"])
async def test_a_conference_is_read_as_the_teacher_of_the_subscription_if_the_event_names_nobody(
    delegated, calling, school, meet, subject
):
    app = delegated()
    enrolled = await calling(app).post("/api/organizers", json={"email": COLLEAGUE})
    conference = replace(the_class("spaces/ad-hoc", "xyz-mnop-abc"), organizer="users/2")
    school.hold(conference)
    attributes = {
        "ce-type": "google.workspace.meet.conference.v2.ended",
        "ce-source": f"//workspaceevents.googleapis.com/{enrolled.json()['subscription']['name']}",
        "ce-subject": subject,
        "ce-time": conference.end.isoformat(),
    }

    refusal = await process(Message(attributes, {"conferenceRecord": {"name": conference.name}}), app)

    assert refusal is None
    assert {call.acting_as for call in meet.calls if "rec-1" in call.resource} == {COLLEAGUE}


async def test_two_teachers_at_once_are_each_called_for_as_themselves(delegated, calling, school, oauth, meet):
    app = delegated()
    api = calling(app)
    rooms = [await scheduled(api, teacher_email=email, class_id=email[:3]) for email in (TEACHER, COLLEAGUE)]
    first = the_class(rooms[0]["space"], rooms[0]["meeting_code"])
    second = first.__class__(
        "rec-2", rooms[1]["space"], rooms[1]["meeting_code"], "users/2", first.start, first.end, first.attendees
    )
    school.hold(first)
    school.hold(second)
    oauth.grants.assertions.clear()
    meet.calls.clear()
    again = delegated()  # another instance, without a token

    await asyncio.gather(event(again, first), event(again, second))

    assert {subject for subject, scope in subjects(oauth) if scope == READ} == {TEACHER, COLLEAGUE}
    by_record = {
        (call.acting_as, "rec-2" in call.resource)
        for call in meet.calls
        if call.resource.startswith("conferenceRecords/")
    }
    assert by_record == {(TEACHER, False), (COLLEAGUE, True)}


async def test_a_class_of_many_costs_one_token_for_each_capability(delegated, calling, school, oauth):
    app = delegated()
    made = await scheduled(calling(app))
    conference = the_class(made["space"], made["meeting_code"])
    school.hold(conference)
    oauth.grants.assertions.clear()

    await event(delegated(), conference)

    asked = Counter(claims["scope"] for claims in oauth.grants.assertions)
    assert asked[READ] == 1
    assert set(asked.values()) == {1}


@pytest.mark.parametrize("denied", [False, True], ids=["unauthorized_client", "access_denied"])
async def test_a_scope_that_is_not_granted_costs_its_capability_and_nothing_else(
    delegated, calling, school, oauth, denied
):
    oauth.grants.scopes_denied = denied
    granted = set(ALL_SCOPES) - set(Capability.MAKE_ROOM.scopes) - set(Capability.PEOPLE.scopes)
    oauth.delegate(SERVICE_ACCOUNT, granted)
    api = calling(delegated())
    room = the_class("spaces/existing", "abc-defg-hij")
    school.hold(room)

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
    synced = await pulled(api, made["session_id"])

    assert (refused.status_code, slug(refused)) == (502, "insufficient-permissions")
    assert refused.json()["cause"] == "delegation-not-granted"
    assert Capability.MAKE_ROOM.scopes[0] in refused.json()["hint"]
    assert CLIENT_ID in refused.json()["hint"]
    assert "Manage domain-wide delegation" in refused.json()["hint"]
    assert synced.status_code == 200
    # The Directory still identifies people.
    assert await marks(api, made["session_id"]) == MARKS


@pytest.mark.parametrize(
    ("fault", "problem", "cause", "hint"),
    [
        (
            RestFault("signBlob", 403, "IAM_PERMISSION_DENIED"),
            (502, "insufficient-permissions"),
            "signing-refused",
            "roles/iam.serviceAccountTokenCreator",
        ),
        (
            RestFault("signBlob", 403, "SERVICE_DISABLED"),
            (502, "iam-credentials-api-disabled"),
            None,
            "gcloud services enable iamcredentials.googleapis.com",
        ),
        (
            RestFault("signBlob", 404, "NOT_FOUND"),
            (502, "insufficient-permissions"),
            "signing-refused",
            "SERVICE_ACCOUNT_",
        ),
        (RestFault("signBlob", 503), (503, "credentials-unavailable"), None, "by itself"),
        (RestFault("token", 503, "backend_error"), (503, "credentials-unavailable"), None, "by itself"),
        (RestFault("token", 400, "internal_failure"), (503, "credentials-unavailable"), None, "by itself"),
        (RestFault("signBlob", 429, "RATE_LIMIT_EXCEEDED"), (503, "credentials-unavailable"), None, "by itself"),
        (RestFault("signBlob", 403, page=True), (503, "credentials-unavailable"), None, "by itself"),
        (RestFault("token", 429, "rate_limit_exceeded"), (503, "credentials-unavailable"), None, "by itself"),
        (RestFault("token", 403, "rate_limit_exceeded"), (503, "credentials-unavailable"), None, "by itself"),
        (RestFault("token", 403, page=True), (503, "credentials-unavailable"), None, "by itself"),
        (
            RestFault("token", 400, "admin_policy_enforced"),
            (502, "insufficient-permissions"),
            "app-forbidden",
            "Manage app access",
        ),
        (
            RestFault("token", 401, "invalid_client"),
            (502, "insufficient-permissions"),
            "signing-refused",
            "SERVICE_ACC",
        ),
        (
            RestFault("token", 401, "deleted_client"),
            (502, "insufficient-permissions"),
            "signing-refused",
            "SERVICE_ACC",
        ),
        (
            RestFault("token", 401, "disabled_client"),
            (502, "insufficient-permissions"),
            "signing-refused",
            "gcloud iam service-accounts enable",
        ),
        (RestFault("token", 400, "who_knows"), (502, "insufficient-permissions"), "credentials-refused", "delegation"),
    ],
)
async def test_every_refusal_says_what_fixes_it(*, delegated, calling, school, oauth, fault, problem, cause, hint):
    made = await scheduled(calling(delegated()))
    school.hold(the_class(made["space"], made["meeting_code"]))
    before = await sheet(calling(delegated()), made["session_id"])
    oauth.fail(fault)

    api = calling(delegated())  # another instance, without a token
    answer = await pulled(api, made["session_id"])

    assert (answer.status_code, slug(answer)) == problem
    assert answer.json().get("cause") == cause
    assert hint in answer.json()["hint"]
    assert "@school.example" not in answer.text
    assert await sheet(api, made["session_id"]) == before


async def test_what_fails_for_a_moment_is_tried_again(delegated, calling, school, oauth):
    made = await scheduled(calling(delegated()))
    school.hold(the_class(made["space"], made["meeting_code"]))
    oauth.fail(RestFault("signBlob", 503, times=1), RestFault("token", 503, "internal_failure", times=1))

    answer = await pulled(calling(delegated()), made["session_id"])

    assert answer.status_code == 200


async def test_a_teacher_whose_account_is_suspended_is_marked_with_what_to_do(delegated, calling, school, oauth):
    app = delegated()
    made = await scheduled(calling(app))
    conference = the_class(made["space"], made["meeting_code"])
    school.hold(conference)
    oauth.grants.suspended.add(TEACHER)
    again = delegated()
    api = calling(again)

    recorded = await event(again, conference)

    assert (recorded.conference.sync.state, recorded.refusal.reason) == ("failed", "insufficient-permissions")
    assert "Directory > Users" in recorded.refusal.hint
    (organizer,) = (await api.get("/api/organizers")).json()["organizers"]
    assert "Directory > Users" in organizer["subscription"]["error"]["hint"]


async def test_the_mark_goes_when_the_account_works_again(delegated, calling, oauth):
    await scheduled(calling(delegated()))
    oauth.grants.suspended.add(TEACHER)
    with pytest.raises(Exception, match="no active account"):
        await job(delegated(), "renew-subscriptions", organizer=TEACHER)
    oauth.grants.suspended.clear()

    app = delegated()
    await job(app, "renew-subscriptions", organizer=TEACHER)

    (organizer,) = (await calling(app).get("/api/organizers")).json()["organizers"]
    assert organizer["subscription"]["error"] is None


async def test_a_teacher_who_has_got_another_address_is_asked_for_by_the_one_that_the_directory_says(
    delegated, calling, school, oauth
):
    made = await scheduled(calling(delegated()))
    conference = the_class(made["space"], made["meeting_code"])
    school.hold(conference)
    renamed = "new.name@school.example"
    school.enrol(Account("users/1", renamed, aliases=(TEACHER,)))
    school.know(TEACHER, "users/1")
    identity = Identity("users/1", renamed, (TEACHER,), None, IdentitySource.DIRECTORY)
    app = delegated()
    await know(identity, deps=app.deps)
    oauth.grants.assertions.clear()

    recorded = await event(app, conference)

    assert recorded.refusal is None
    assert {subject for subject, _ in subjects(oauth)} == {renamed}


async def test_a_renamed_teacher_stays_one_teacher_in_all_that_follows(delegated, calling, school, oauth, meet):
    app = delegated()
    api = calling(app)
    made = await scheduled(api)
    conference = the_class(made["space"], made["meeting_code"])
    school.hold(conference)
    renamed = "new.name@school.example"
    school.enrol(Account("users/1", renamed, aliases=(TEACHER,)))
    await know(Identity("users/1", renamed, (TEACHER,), None, IdentitySource.DIRECTORY), deps=app.deps)
    oauth.grants.assertions.clear()
    meet.calls.clear()
    app = delegated()  # without earlier tokens

    await event(app, conference)
    for name in ("reconcile", "renew-subscriptions"):
        await job(app, name, organizer="users/1")
    await job(app, "sync-session", session_id=made["session_id"])
    lms = calling(app, LMS)  # it may schedule only for enrolled teachers
    later = await scheduled(
        lms, teacher_email=renamed, class_id="8c", start_time=(datetime.now(UTC) + timedelta(days=1)).isoformat()
    )

    assert {subject for subject, _ in subjects(oauth)} == {renamed}
    assert {call.acting_as for call in meet.calls} == {renamed}
    assert await marks(calling(app), made["session_id"]) == MARKS
    people = (await sheet(calling(app), made["session_id"]))["attendance"]
    assert [p["user"] for p in people if p["role"] == "teacher"] == ["users/1"]
    assert (later["tracking"], [one.user for one in await app.deps.store.organizers()]) == ("active", ["users/1"])


async def test_a_teacher_whose_address_a_colleague_has_now_is_asked_for_by_account(delegated, calling, school, meet):
    """No event said whose room it is, and the colleague cannot see its calls: all classes would seem not held."""
    app = delegated()
    made = await scheduled(calling(app))
    school.hold(the_class(made["space"], made["meeting_code"]))
    renamed = "new.name@school.example"
    school.enrol(Account("users/1", renamed), Account("users/2", TEACHER, aliases=(COLLEAGUE,)))
    for user, email, aliases in (("users/1", renamed, ()), ("users/2", TEACHER, (COLLEAGUE,))):
        await know(Identity(user, email, aliases, None, IdentitySource.DIRECTORY), deps=app.deps)
    meet.calls.clear()
    app = delegated()  # without earlier tokens

    await job(app, "sync-session", session_id=made["session_id"])

    assert {call.acting_as for call in meet.calls} == {renamed}
    assert await marks(calling(app), made["session_id"]) == MARKS


async def test_a_teacher_enrolled_by_an_alias_is_called_for_by_the_primary_address(delegated, calling, school, oauth):
    alias = "class-of-teacher@school.example"
    school.enrol(Account("users/1", TEACHER, aliases=(alias,)))

    answer = await calling(delegated()).post("/api/organizers", json={"email": alias})

    assert answer.status_code == 201
    assert {subject for subject, scope in subjects(oauth) if scope == READ} == {TEACHER}


async def test_the_primary_address_is_known_also_after_people_told_another_one(delegated, calling, school, oauth):
    """Once a week accounts are looked up again, first in the People API."""
    alias = "class-of-teacher@school.example"
    school.enrol(Account("users/1", TEACHER, aliases=(alias,)))
    await calling(delegated()).post("/api/organizers", json={"email": alias})
    conference = the_class("spaces/existing", "abc-defg-hij")
    school.hold(conference)
    renamed = "new.name@school.example"
    school.enrol(Account("users/1", renamed, aliases=(alias, TEACHER)))

    await event(delegated(clock=lambda: datetime.now(UTC) + timedelta(days=8)), conference)
    oauth.grants.assertions.clear()
    await job(delegated(), "renew-subscriptions", organizer="users/1")

    assert {subject for subject, scope in subjects(oauth) if scope == READ} == {renamed}


# --- The accounts that it may act for ---


async def test_a_teacher_who_may_not_be_impersonated_is_refused_before_any_call(delegated, calling, oauth, meet):
    api = calling(delegated(), LMS)  # the LMS may not enrol people of the domain; an administrator may

    answer = await api.post(
        "/api/schedule/class",
        json={
            "teacher_email": TEACHER,
            "student_emails": [],
            "subject": "x",
            "start_time": "2026-11-25T09:00:00Z",
            "duration_minutes": 60,
        },
    )

    assert (answer.status_code, slug(answer)) == (403, "domain-not-allowed")
    assert (meet.calls, oauth.calls) == ([], Counter())


@pytest.mark.parametrize("domains", ["school.example", "elsewhere.example"])
async def test_no_message_can_have_a_call_made_as_somebody_nobody_enrolled(delegated, school, oauth, meet, domains):
    school.hold(the_class("spaces/existing", "abc-defg-hij"))
    app = delegated(allowed_domains=domains)

    await job(app, "sync-conference", conference_record="conferenceRecords/rec-1", organizer=TEACHER)

    assert (meet.calls, oauth.calls) == ([], Counter())


async def test_a_class_that_an_administrator_scheduled_is_read_although_its_teacher_could_not_be_enrolled(
    delegated, calling, school, google
):
    google.fail(RestFault("users.get", 503), RestFault("people.get", 503))
    api = calling(delegated())
    made = await scheduled(api)
    google.fail()
    school.hold(the_class(made["space"], made["meeting_code"]))

    answer = await pulled(calling(delegated()), made["session_id"])

    assert (made["tracking"], answer.status_code) == ("failed", 200)


async def test_a_teacher_who_was_removed_is_not_acted_for_any_more(delegated, calling, school, oauth):
    app = delegated(allowed_domains="", allowed_teachers=TEACHER)
    made = await scheduled(calling(app))
    school.hold(the_class(made["space"], made["meeting_code"]))
    await calling(app).delete("/api/organizers/1")
    oauth.grants.assertions.clear()

    answer = await pulled(calling(delegated(allowed_domains="")), made["session_id"])

    assert (answer.status_code, slug(answer)) == (403, "domain-not-allowed")
    assert oauth.grants.assertions == []


async def test_reports_are_read_as_one_administrator_alone(delegated, oauth):
    app = delegated(reports_admin="head@school.example")
    credentials = app.credentials.of(Organizer(email=TEACHER), Capability.REPORTS)

    with pytest.raises(Exception, match="only as the administrator in REPORTS_ADMIN"):
        await credentials.metadata()

    assert oauth.calls == Counter()


async def test_an_administrator_who_is_named_by_an_id_is_asked_for_by_address(delegated):
    app = delegated(reports_admin="users/9")

    with pytest.raises(ReportsNotSetUp) as raised:
        await app.credentials.of(Organizer("users/9"), Capability.REPORTS).metadata()

    assert "REPORTS_ADMIN to the e-mail address" in raised.value.hint


# --- Tokens ---


async def test_a_token_that_is_taken_back_is_fetched_again_or_refused_by_its_name(delegated, calling, school, oauth):
    app = delegated()
    made = await scheduled(calling(app))
    school.hold(the_class(made["space"], made["meeting_code"]))
    oauth.revoke(TEACHER)  # every token so far is invalid

    answer = await pulled(calling(app), made["session_id"])

    # The token was just fetched and is already invalid. Google would give another such token, so a person must look.
    assert (answer.status_code, slug(answer)) == (502, "insufficient-permissions")
    assert (await pulled(calling(delegated()), made["session_id"])).status_code == 200
