"""How every store of teachers' consents behaves: Secret Manager with its official client, and a file."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os

import grpc
import pytest
from google.api_core import exceptions as gexc
from google.cloud import secretmanager_v1 as secret_manager
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcAsyncIOTransport,
)
from google.iam.v1 import policy_pb2
from google.oauth2.credentials import Credentials

from functions.adapters.consent.consents import Consent
from functions.adapters.consent.errors import (
    ConsentMissing,
    ConsentStoreDenied,
    ConsentsUnavailable,
    ConsentUnreadable,
    SecretManagerDisabled,
    TokenFileOpen,
)
from functions.adapters.consent.in_file import FileConsents
from functions.adapters.consent.in_secret_manager import SecretConsents
from functions.domain.conferences.model import Organizer
from functions.domain.errors import DocumentTooNew, OwnCredentialsMissing
from infra.local.faults import Fault
from infra.local.secrets import SecretManagerSimulator, Version

READ_MEETINGS = "https://www.googleapis.com/auth/meetings.space.readonly"
ADA = Consent(
    "users/11",
    "ada@school.example",
    "1-a.apps.googleusercontent.com",
    "GOCSPX-hidden",
    "1//hidden",
    frozenset({READ_MEETINGS}),
)
BEN = dataclasses.replace(ADA, user="users/22", email="ben@school.example", refresh_token="1//other")  # noqa: S106 - no real one
AGAIN = dataclasses.replace(ADA, refresh_token="1//newer")  # noqa: S106 - likewise
PROJECT = "school-attendance"
STORED = "projects/school-attendance/secrets/meet-attendance-token-11"
ACCOUNT = "meet-attendance@school-attendance.iam.gserviceaccount.com"
READER = f"serviceAccount:{ACCOUNT}"
ACCESSOR = "roles/secretmanager.secretAccessor"


@pytest.fixture
async def simulator():
    async with SecretManagerSimulator() as simulator:
        yield simulator


@pytest.fixture
async def client(simulator):
    channel = grpc.aio.insecure_channel(simulator.endpoint.removeprefix("http://"))
    yield secret_manager.SecretManagerServiceAsyncClient(
        transport=SecretManagerServiceGrpcAsyncIOTransport(channel=channel)
    )
    await channel.close()


@pytest.fixture
def secrets(client):
    return SecretConsents(client, project=PROJECT, service_account_email=ACCOUNT, patience=2.0)


@pytest.fixture
def token_file(tmp_path):
    return tmp_path / "token.json"


@pytest.fixture(params=["secrets", "file"])
def consents(request, token_file):
    return request.getfixturevalue("secrets") if request.param == "secrets" else FileConsents(token_file)


async def test_nobody_has_consented_at_first(consents):
    await consents.check()

    assert await consents.get(Organizer("users/11", "ada@school.example")) is None


async def test_a_consent_that_is_kept_is_found_by_the_account(consents):
    await consents.put(ADA)

    assert await consents.get(Organizer("users/11", None)) == ADA
    assert await consents.get(Organizer("users/99", None)) is None


async def test_each_teacher_has_a_consent_of_their_own(consents):
    await consents.put(ADA)
    await consents.put(BEN)

    assert await consents.get(Organizer("users/11")) == ADA
    assert await consents.get(Organizer("users/22")) == BEN


async def test_teachers_who_consent_at_the_same_moment_are_all_kept(consents):
    teachers = [dataclasses.replace(ADA, user=f"users/{n}", email=f"t{n}@school.example") for n in range(30, 42)]

    await asyncio.gather(*map(consents.put, teachers))

    assert [await consents.get(Organizer(each.user)) for each in teachers] == teachers


async def test_a_newer_consent_takes_the_place_of_the_old_one(consents):
    await consents.put(ADA)
    await consents.put(BEN)
    await consents.put(AGAIN)

    assert await consents.get(Organizer("users/11")) == AGAIN
    assert await consents.get(Organizer("users/22")) == BEN


def test_no_secret_is_shown_where_consents_are_printed():
    assert "hidden" not in repr(ADA)


# --- Secret Manager -------------------------------------------------------------------------------------------


async def test_a_secret_is_named_by_the_account_and_only_the_service_account_may_read_it(secrets, simulator):
    await secrets.put(ADA)

    secret = simulator.secrets[STORED]
    assert (secret.labels, len(simulator.secrets)) == ({"app": "meet-attendance"}, 1)
    assert [(each.role, list(each.members)) for each in secret.policy.bindings] == [(ACCESSOR, [READER])]
    stored = json.loads(secret.versions[-1].content)
    assert (stored["type"], stored["schema_version"]) == ("authorized_user", 1)


async def test_keeping_the_same_consent_twice_changes_nothing(secrets, simulator):
    await secrets.put(ADA)
    before = simulator.secrets[STORED].policy.etag

    await secrets.put(ADA)

    assert [version.state.name for version in simulator.secrets[STORED].versions] == ["ENABLED"]
    assert simulator.secrets[STORED].policy.etag == before


async def test_older_versions_are_destroyed_beyond_the_first_page_too(secrets, simulator):
    for number in range(5):
        simulator.faults.set(Fault("ListSecretVersions", grpc.StatusCode.PERMISSION_DENIED))
        with pytest.raises(ConsentStoreDenied):
            await secrets.put(dataclasses.replace(ADA, refresh_token=f"1//{number}"))
    simulator.faults.clear()

    await secrets.put(AGAIN)

    assert [version.state.name for version in simulator.secrets[STORED].versions] == ["DESTROYED"] * 5 + ["ENABLED"]
    assert await secrets.get(Organizer("users/11")) == AGAIN


@pytest.mark.parametrize("page", [1, 2])
async def test_a_page_of_versions_that_does_not_come_at_once_is_asked_for_again(secrets, simulator, page):
    await secrets.put(ADA)
    simulator.secrets[STORED].versions += [Version(b"{}"), Version(b"{}")]
    simulator.faults.set(Fault("ListSecretVersions", grpc.StatusCode.UNAVAILABLE, times=1, page=page))

    await secrets.put(AGAIN)

    assert [version.state.name for version in simulator.secrets[STORED].versions] == ["DESTROYED"] * 3 + ["ENABLED"]


async def test_a_version_that_is_scheduled_to_be_destroyed_is_left_alone(secrets, simulator):
    simulator.destroys_later = True
    for number in range(3):
        await secrets.put(dataclasses.replace(ADA, refresh_token=f"1//{number}"))

    assert [version.state.name for version in simulator.secrets[STORED].versions] == ["DISABLED"] * 2 + ["ENABLED"]
    assert simulator.calls["DestroySecretVersion"] == 2


async def test_a_first_consent_is_found_before_secret_manager_shows_it_as_the_latest(secrets, simulator):
    await secrets.put(ADA)
    simulator.unseen = 1

    assert await secrets.get(Organizer("users/11")) == ADA


async def test_a_newer_consent_is_found_while_the_latest_is_still_the_destroyed_one(secrets, simulator):
    await secrets.put(ADA)
    await secrets.put(AGAIN)
    simulator.unseen = 1

    assert await secrets.get(Organizer("users/11")) == AGAIN


async def test_a_newer_consent_destroys_the_older_while_lists_do_not_show_the_newer_one(secrets, simulator):
    await secrets.put(ADA)
    simulator.unseen = 1

    await secrets.put(AGAIN)

    assert [version.state.name for version in simulator.secrets[STORED].versions] == ["DESTROYED", "ENABLED"]


async def test_the_service_account_reads_a_consent_and_nothing_else(secrets, simulator):
    await secrets.put(ADA)
    simulator.caller = READER

    assert await secrets.get(Organizer("users/11")) == ADA
    with pytest.raises(ConsentStoreDenied):
        await secrets.put(BEN)


async def test_a_missing_consent_cannot_be_distinguished_from_a_hidden_one(secrets, simulator):
    simulator.caller = READER  # it must not learn which secrets exist

    with pytest.raises(ConsentMissing) as caught:
        await secrets.get(Organizer("users/11"))

    assert "gcloud secrets add-iam-policy-binding meet-attendance-token-11" in caught.value.hint
    assert "some minutes" in caught.value.hint


async def test_what_others_allowed_on_the_secret_stays(secrets, simulator):
    await secrets.put(ADA)
    theirs = policy_pb2.Binding(role="roles/secretmanager.viewer", members=["user:boss@school.example"])
    simulator.secrets[STORED].policy.bindings.insert(0, theirs)
    del simulator.secrets[STORED].policy.bindings[1]

    await secrets.put(ADA)

    assert [(each.role, list(each.members)) for each in simulator.secrets[STORED].policy.bindings] == [
        (theirs.role, list(theirs.members)),
        (ACCESSOR, [READER]),
    ]


async def test_a_policy_that_somebody_changes_meanwhile_is_read_again(secrets, simulator):
    simulator.faults.set(Fault("SetIamPolicy", grpc.StatusCode.ABORTED, times=1))

    await secrets.put(ADA)

    assert [list(each.members) for each in simulator.secrets[STORED].policy.bindings] == [[READER]]
    assert simulator.calls["GetIamPolicy"] == 2


async def test_a_teacher_whose_newest_version_is_disabled_has_no_consent(secrets, client):
    await secrets.put(ADA)
    await client.disable_secret_version(name=f"{STORED}/versions/1")

    assert await secrets.get(Organizer("users/11")) is None


async def test_a_secret_whose_key_is_disabled_is_not_a_teacher_without_consent(secrets, simulator):
    await secrets.put(ADA)
    simulator.faults.set(Fault("AccessSecretVersion", grpc.StatusCode.FAILED_PRECONDITION))

    with pytest.raises(ConsentStoreDenied) as caught:
        await secrets.get(Organizer("users/11"))

    assert "key is enabled" in caught.value.hint


async def test_without_a_service_account_nobody_is_allowed_to_read(simulator, client):
    await SecretConsents(client, project=PROJECT).put(ADA)

    assert not simulator.secrets[STORED].policy.bindings


@pytest.mark.parametrize("user", [None, "users/", "users/1/versions/2/../../x", "users/a.b", "11"])
async def test_an_id_that_google_does_not_give_leads_to_no_secret(secrets, simulator, user):
    assert await secrets.get(Organizer(user, "ada@school.example")) is None
    assert not simulator.calls


@pytest.mark.parametrize(
    ("fault", "error", "hint"),
    [
        (
            Fault("AccessSecretVersion", grpc.StatusCode.PERMISSION_DENIED, reason="SERVICE_DISABLED"),
            SecretManagerDisabled,
            "gcloud services enable secretmanager.googleapis.com --project=school-attendance",
        ),
        (
            Fault("AccessSecretVersion", grpc.StatusCode.PERMISSION_DENIED, reason="IAM_PERMISSION_DENIED"),
            ConsentStoreDenied,
            "gcloud secrets add-iam-policy-binding meet-attendance-token-11 --project=school-attendance",
        ),
        (
            Fault("AccessSecretVersion", grpc.StatusCode.UNAUTHENTICATED),
            OwnCredentialsMissing,
            "gcloud auth application-default login",
        ),
        (Fault("AccessSecretVersion", grpc.StatusCode.UNAVAILABLE), ConsentsUnavailable, "by itself"),
        (Fault("AccessSecretVersion", grpc.StatusCode.INVALID_ARGUMENT), ConsentStoreDenied, "project"),
    ],
)
async def test_a_refusal_of_secret_manager_says_what_to_do(secrets, simulator, fault, error, hint):
    simulator.faults.set(fault)

    with pytest.raises(error) as caught:
        await secrets.get(Organizer("users/11"))

    assert hint in caught.value.hint
    assert "@" not in caught.value.message + caught.value.hint


async def test_a_missing_permission_to_store_secrets_is_reported_before_the_teacher_is_asked(secrets, simulator):
    simulator.faults.set(Fault("GetSecret", grpc.StatusCode.PERMISSION_DENIED, reason="IAM_PERMISSION_DENIED"))

    with pytest.raises(ConsentStoreDenied) as caught:
        await secrets.check()

    assert "gcloud projects add-iam-policy-binding school-attendance" in caught.value.hint
    assert "roles/secretmanager.admin" in caught.value.hint


async def test_a_call_that_fails_temporarily_is_repeated(secrets, simulator):
    await secrets.put(ADA)
    simulator.faults.set(Fault("AccessSecretVersion", grpc.StatusCode.UNAVAILABLE, times=2))

    assert await secrets.get(Organizer("users/11")) == ADA


async def test_a_call_that_never_ends_is_given_up(client, simulator):
    simulator.faults.set(Fault("AccessSecretVersion", drop=True))

    with pytest.raises(ConsentsUnavailable):
        await SecretConsents(client, project=PROJECT, patience=0.05).get(Organizer("users/11"))


async def test_a_secret_that_holds_no_consent_says_so_and_repeats_nothing_of_it(secrets, simulator):
    await secrets.put(ADA)
    simulator.secrets[STORED].versions[0].content = b'{"type": "service_account", "private_key": "hidden"}'

    with pytest.raises(ConsentUnreadable) as caught:
        await secrets.get(Organizer("users/11"))

    assert "hidden" not in caught.value.message


# --- A file ---------------------------------------------------------------------------------------------------


async def test_only_its_owner_may_read_the_file_whatever_the_process_allows_by_default(token_file):
    before = os.umask(0)
    try:
        await FileConsents(token_file).put(ADA)
    finally:
        os.umask(before)

    assert token_file.stat().st_mode & 0o777 == 0o600
    assert list(token_file.parent.iterdir()) == [token_file]


async def test_a_file_of_one_teacher_can_be_read_by_googles_own_tools(token_file):
    await FileConsents(token_file).put(ADA)

    read = Credentials.from_authorized_user_file(str(token_file))
    assert (read.refresh_token, read.client_id) == (ADA.refresh_token, ADA.client_id)


async def test_a_file_is_also_asked_by_address(token_file):
    await FileConsents(token_file).put(ADA)

    assert await FileConsents(token_file).get(Organizer(None, "Ada@school.example")) == ADA


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
async def test_a_file_that_is_open_to_others_is_refused_with_the_command_that_closes_it(token_file, mode):
    await FileConsents(token_file).put(ADA)
    token_file.chmod(mode)

    for use in (FileConsents(token_file).get(Organizer("users/11")), FileConsents(token_file).put(BEN)):
        with pytest.raises(TokenFileOpen) as caught:
            await use
        assert f"{mode:o}" in caught.value.message
        assert "chmod 600 token.json" in caught.value.hint
    assert token_file.stat().st_mode & 0o777 == mode


async def test_a_symbolic_link_is_refused_and_what_it_leads_to_stays(token_file, tmp_path):
    real = tmp_path / "elsewhere.json"
    await FileConsents(real).put(ADA)
    token_file.symlink_to(real)

    for use in (FileConsents(token_file).get(Organizer("users/11")), FileConsents(token_file).put(BEN)):
        with pytest.raises(TokenFileOpen, match="symbolic link"):
            await use
    assert await FileConsents(real).get(Organizer("users/11")) == ADA


@pytest.mark.parametrize("make", [lambda path: path.mkdir(mode=0o700), lambda path: os.mkfifo(path, 0o600)])
async def test_what_is_not_a_file_is_refused_and_not_waited_for(token_file, make):
    make(token_file)

    with pytest.raises(TokenFileOpen, match="does not lead to a file"):
        await FileConsents(token_file).get(Organizer("users/11"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 5000, "not JSON"),
        ("3", "authorized_user"),
        ('{"type": "service_account"}', "authorized_user"),
        ('{"type": "authorized_user"}', "schema_version"),
        ('{"type": "authorized_user", "schema_version": 1, "user": "users/11"}', "email is missing"),
    ],
)
async def test_a_broken_file_says_what_is_wrong_and_is_not_overwritten(token_file, content, says):
    token_file.write_text(content)
    token_file.chmod(0o600)

    for use in (FileConsents(token_file).get(Organizer("users/11")), FileConsents(token_file).put(ADA)):
        with pytest.raises(ConsentUnreadable) as caught:
            await use
        assert says in caught.value.message
    assert token_file.read_text() == content


async def test_a_file_of_a_later_version_is_refused(token_file):
    token_file.write_text('{"type": "authorized_user", "schema_version": 2}')
    token_file.chmod(0o600)

    with pytest.raises(DocumentTooNew):
        await FileConsents(token_file).get(Organizer("users/11"))


async def test_a_missing_folder_is_reported_before_the_teacher_is_asked(tmp_path):
    consents = FileConsents(tmp_path / "missing" / "token.json")

    for use in (consents.check(), consents.put(ADA)):
        with pytest.raises(ConsentsUnavailable, match="cannot be written"):
            await use


# --- What Secret Manager would refuse ---


def new_secret(**changes):
    replication = secret_manager.Replication(automatic=secret_manager.Replication.Automatic())
    about = {"parent": f"projects/{PROJECT}", "secret_id": "a", "secret": {"replication": replication, "labels": {}}}
    return secret_manager.CreateSecretRequest({**about, **changes})


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("create_secret", new_secret(parent=PROJECT), "parent"),
        ("create_secret", new_secret(secret_id="a/b"), "secret_id"),  # noqa: S106 - a name
        ("create_secret", new_secret(secret_id="a" * 256), "secret_id"),
        ("create_secret", new_secret(secret={"labels": {}}), "secret.replication"),
        ("create_secret", new_secret(secret={"replication": {"automatic": {}}, "labels": {"App": "x"}}), "labels"),
        ("get_secret", secret_manager.GetSecretRequest(name="meet-attendance-token-11"), "name"),
        ("access_secret_version", secret_manager.AccessSecretVersionRequest(name=STORED), "name"),
        ("add_secret_version", secret_manager.AddSecretVersionRequest(parent=STORED), "payload.data"),
        (
            "add_secret_version",
            secret_manager.AddSecretVersionRequest(parent=STORED, payload={"data": b"x" * 65_537}),
            "payload.data",
        ),
        ("list_secret_versions", secret_manager.ListSecretVersionsRequest(parent=STORED, page_size=-1), "page_size"),
        (
            "destroy_secret_version",
            secret_manager.DestroySecretVersionRequest(name=f"{STORED}/versions/latest"),
            "name",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_secret_manager_refuses_is_refused_and_recorded(client, simulator, *, method, request_, field):
    with pytest.raises(gexc.InvalidArgument, match=field):
        await getattr(client, method)(request_, retry=None, timeout=5.0)

    assert len(simulator.refusals.take()) == 1
