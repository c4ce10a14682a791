"""Google's stand-ins that only accept tokens, and the application that fetches these tokens."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from functions.adapters.consent.consents import Consent
from functions.adapters.google.credentials.capabilities import Capability
from functions.domain.classes.sessions import Caller, CallerRole
from functions.domain.conferences.model import Identity, IdentitySource
from functions.entrypoints.api.function import guarded
from functions.services.teachers.organizers import know
from infra.local.google_apis import GoogleApis
from infra.local.meet import MeetSimulator
from infra.local.oauth_server import OAuthServer
from infra.local.school import Account, School
from infra.local.secrets import SecretManagerSimulator
from infra.local.subscriptions import WorkspaceEventsSimulator
from tests.api import CALLERS, OPERATOR, token
from tests.classroom import PUPILS, TEACHER

SERVICE_ACCOUNT = "meet-attendance@school-attendance.iam.gserviceaccount.com"
ADMIN = Caller("operator@school.example", CallerRole.ADMIN)
CLIENT_ID = "109876543210987654321"
ALL_SCOPES = [scope for capability in Capability for scope in capability.scopes]


@pytest.fixture
def school():
    """Return a school with two teachers and pupils, instead of the empty one."""
    school = School(lambda: datetime.now(UTC))
    school.enrol(
        Account(TEACHER, "teacher@school.example", display_name="The Teacher"),
        Account("users/2", "colleague@school.example", display_name="A Colleague"),
        *PUPILS,
    )
    return school


@pytest.fixture
def oauth(school):
    with OAuthServer(school).in_thread() as server:
        server.delegate(SERVICE_ACCOUNT, ALL_SCOPES)
        yield server


@pytest.fixture
def meet(school, oauth):
    with MeetSimulator(school, tokens=oauth).in_thread() as simulator:
        yield simulator


@pytest.fixture
def google(school, oauth):
    with GoogleApis(school, tokens=oauth).in_thread() as apis:
        yield apis


@pytest.fixture
def workspace_events(school, oauth):
    with WorkspaceEventsSimulator(school, tokens=oauth).in_thread() as simulator:
        yield simulator
        assert simulator.violations == []


@pytest.fixture
def stand_ins(oauth, google, workspace_events):
    """Return the addresses of Google's stand-ins, for every caller."""
    return {
        "oauth_token_endpoint": oauth.endpoint,
        "people_api_endpoint": google.endpoint,
        "directory_api_endpoint": google.endpoint,
        "workspace_events_api_endpoint": workspace_events.endpoint,
        "google_cloud_project": "school-attendance",
        "allowed_domains": "school.example",
        "api_callers": CALLERS,
    }


@pytest.fixture
def delegated(instance, stand_ins, oauth):
    """Return an application that acts for teachers by domain-wide delegation."""

    def start(**changes):
        return instance(
            **{
                **stand_ins,
                "auth_mode": "delegation",
                "service_account_email": SERVICE_ACCOUNT,
                "service_account_client_id": CLIENT_ID,
                "iam_credentials_api_endpoint": oauth.endpoint,
                **changes,
            }
        )

    return start


@pytest.fixture
def secrets():
    with SecretManagerSimulator().in_thread() as simulator:
        yield simulator


@pytest.fixture
def client(oauth):
    """Return the OAuth client that teachers consent to."""
    return oauth.new_client()["installed"]


@pytest.fixture
def consented(oauth, client, school):
    """Return a teacher's stored consent."""

    def consent(email, scopes=ALL_SCOPES):
        granted = oauth.consent(email, scopes, client["client_id"])
        return Consent(
            user=school.user(email),
            email=email,
            client_id=client["client_id"],
            client_secret=client["client_secret"],
            refresh_token=granted.refresh_token,
            scopes=granted.scopes,
        )

    return consent


@pytest.fixture
def consenting(instance, stand_ins, secrets):
    """Return an application that acts for teachers by their own consent."""

    def start(**changes):
        return instance(
            **{**stand_ins, "auth_mode": "oauth", "secret_manager_api_endpoint": secrets.endpoint, **changes}
        )

    return start


@pytest.fixture
def keep(consenting, consented):
    """Return a function that stores a teacher's consent and the teacher, like `setup_oauth`."""

    async def keep(email, scopes=ALL_SCOPES, **changes):
        app, consent = consenting(**changes), consented(email, scopes)
        await app.consents.put(consent)
        await know(Identity(consent.user, email, (), None, IdentitySource.PEOPLE), deps=app.deps)
        return consent

    return keep


@pytest.fixture
async def calling():
    """Return a function that calls an application as a person."""
    clients = []

    def call(app, caller=OPERATOR):
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(guarded(app)),
            base_url="http://api",
            headers={"Authorization": token(caller)},
        )
        clients.append(client)
        return client

    yield call
    for client in clients:
        await client.aclose()
