"""How a function gets its tokens on Cloud Run: metadata server, then signature, then token endpoint.

Only the function is our code: google-auth itself finds the metadata server and calls Google by Google's own host names.
"""

from __future__ import annotations

import httpx
import pytest

from functions.adapters.google.credentials.capabilities import Capability
from infra.local.control_plane import make_certificate
from infra.local.function_server import function_server
from infra.local.google_apis import RestFault
from infra.local.google_network import GoogleNetwork
from infra.local.id_tokens import IdTokenIssuer
from infra.local.metadata_server import MetadataServer
from tests.api import AUDIENCE, CALLERS, OPERATOR, token
from tests.integration.credentials.conftest import SERVICE_ACCOUNT

TEACHER = "teacher@school.example"


@pytest.fixture
def metadata(oauth):
    """Serve the metadata server of the function's machine; only its token may be used to sign."""
    with MetadataServer(SERVICE_ACCOUNT, IdTokenIssuer(), project="school-attendance").in_thread() as server:
        oauth.signers.add(server.access_token)
        yield server


@pytest.fixture
def network(*, oauth, meet, google, workspace_events, issuer, tmp_path):
    """Serve Google's own host names: a function that fetches tokens in this way accepts no others."""
    hosts = {
        "oauth2.googleapis.com": oauth.endpoint,
        "iamcredentials.googleapis.com": oauth.endpoint,
        "admin.googleapis.com": google.endpoint,
        "people.googleapis.com": google.endpoint,
        "meet.googleapis.com": meet.endpoint,
        "workspaceevents.googleapis.com": workspace_events.endpoint,
        "www.googleapis.com": issuer.endpoint,
    }
    return GoogleNetwork(
        {host: endpoint.removeprefix("http://") for host, endpoint in hosts.items()},
        grpc={"meet.googleapis.com", "workspaceevents.googleapis.com"},
        certificate=make_certificate(tmp_path),
    )


@pytest.fixture
def served(metadata, network, tmp_path):
    """Serve the function `api` with delegation, as on a machine of Google's."""
    with network.in_thread() as variables:
        env = {
            **variables,
            **metadata.environment,
            "HOME": str(tmp_path),
            "AUTH_MODE": "delegation",
            "SERVICE_ACCOUNT_EMAIL": SERVICE_ACCOUNT,
            "GOOGLE_CLOUD_PROJECT": "school-attendance",
            "ALLOWED_DOMAINS": "school.example",
            "API_CALLERS": CALLERS,
            "API_AUDIENCE": AUDIENCE,
            "ATTENDANCE_STORE": f"sqlite:///{tmp_path / 'attendance.db'}",
            # httplib2, which calls the REST APIs, does not support the proxy: it is connected directly to the same TLS
            # server.
            "PEOPLE_API_ENDPOINT": network.tls["people.googleapis.com"],
            "DIRECTORY_API_ENDPOINT": network.tls["admin.googleapis.com"],
        }
        with function_server("api", env=env, log=tmp_path / "function.log", signature="http") as function:
            yield function


def scheduled(served, teacher=TEACHER):
    """Schedule a class in a new room, which is made as the teacher."""
    body = {
        "teacher_email": teacher,
        "student_emails": [],
        "subject": "Mathematics",
        "start_time": "2026-11-25T09:00:00Z",
        "duration_minutes": 60,
    }
    headers = {"Authorization": token(OPERATOR)}
    return httpx.post(f"{served.url}/api/schedule/class", json=body, headers=headers, timeout=60)


def test_a_class_is_scheduled_as_its_teacher_with_what_the_metadata_server_gives(served, oauth, network):
    answer = scheduled(served)

    assert answer.status_code == 201, answer.text
    assert {(claims["iss"], claims["sub"]) for claims in oauth.grants.assertions} == {(SERVICE_ACCOUNT, TEACHER)}
    assert {claims["scope"] for claims in oauth.grants.assertions} >= {Capability.MAKE_ROOM.scopes[0]}
    assert oauth.calls["signBlob"] == oauth.calls["token"] == len(oauth.grants.assertions)
    assert network.refused == []


def test_a_function_that_may_not_sign_as_itself_is_told_which_role_it_lacks(served, oauth):
    oauth.fail(RestFault("signBlob", 403, "IAM_PERMISSION_DENIED"))
    answer = scheduled(served)

    assert (answer.status_code, answer.json()["cause"]) == (502, "signing-refused")
    assert "roles/iam.serviceAccountTokenCreator" in answer.json()["hint"]
    assert oauth.calls["token"] == 0


def test_a_function_whose_machine_has_no_service_account_is_told_so(served, metadata, oauth):
    metadata.take_account_away()
    answer = scheduled(served)

    assert (answer.status_code, answer.json()["cause"]) == (502, "own-credentials-missing")
    assert oauth.calls["signBlob"] == 0


def test_a_token_of_the_metadata_server_that_is_not_accepted_any_more_is_replaced(served, metadata, oauth):
    first = scheduled(served)
    metadata.renew_token()
    oauth.signers = {metadata.access_token}
    second = scheduled(served, teacher="colleague@school.example")

    assert (first.status_code, second.status_code) == (201, 201), second.text


def test_a_function_whose_token_is_not_accepted_even_when_it_is_new_needs_somebody(served, oauth):
    oauth.signers = {"ya29.another"}
    answer = scheduled(served)

    assert (answer.status_code, answer.json()["cause"]) == (502, "signing-refused")
