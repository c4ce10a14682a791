"""Which credentials calls use: none, delegation, or teachers' own consent.

What only one of them needs is imported for it alone, in a function: an instance starts sooner.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.auth.exceptions import DefaultCredentialsError

from functions.adapters.google.calls.services import REPORTS
from functions.adapters.google.credentials.access_tokens import TokenPool, TokenRequests
from functions.adapters.google.credentials.capabilities import (
    AnonymousCredentials,
    Capability,
    Credentials,
    CredentialsPool,
)
from functions.adapters.google.people.people_api import People
from functions.adapters.own_credentials import no_own_credentials
from functions.domain.conferences.model import Identity, Organizer
from functions.domain.errors import CredentialsRefused, WrongSetting
from functions.ports.clock import Clock
from functions.ports.store import AttendanceStore
from functions.services.deps import Rules
from functions.services.teachers.impersonation import note_refusal, permitted
from functions.settings import AuthMode, Settings
from functions.wiring.channels import Channels

if TYPE_CHECKING:
    from functions.adapters.consent.consents import Consents


def credentials(
    configured: Settings,
    kept: Consents | None,
    tokens: TokenRequests,
    *,
    store: AttendanceStore,
    rules: Rules,
    clock: Clock,
    now: Clock,
) -> CredentialsPool:
    """The credentials of every account that calls use.

    Args:
        configured: What the environment says.
        kept: Where teachers' own consents are stored, if calls use them.
        tokens: How tokens are fetched.
        store: Who is enrolled.
        rules: Who else is allowed.
        clock: The time that documents say.
        now: The time of this machine, by which tokens end.
    """
    if configured.auth_mode is AuthMode.ANONYMOUS:
        return CredentialsPool(AnonymousCredentials)

    async def permit(organizer: Organizer, capability: Capability) -> Organizer:
        if capability is not Capability.REPORTS:
            reads_meetings = capability is Capability.MEETINGS
            return await permitted(organizer, reads_meetings=reads_meetings, store=store, rules=rules)
        if configured.reports_admin not in {organizer.email, organizer.user} - {None}:
            raise REPORTS.denied("Reports are read only as the administrator in REPORTS_ADMIN.")
        return organizer

    async def refused(teacher: Organizer, capability: Capability, error: CredentialsRefused) -> None:
        if capability is Capability.MEETINGS:
            await note_refusal(teacher, error, store=store, clock=clock)

    if kept:
        from functions.adapters.google.credentials.own_consent import OwnConsent

        fetch = OwnConsent(kept, requests=tokens).token
    else:
        from functions.adapters.google.credentials.delegation import Delegation

        fetch = Delegation(
            configured.service_account_email or "",  # the settings see to it
            client_id=configured.service_account_client_id,
            requests=tokens,
        ).token
    return CredentialsPool(TokenPool(fetch, permitted=permit, refused=refused, now=now))


def kept_consents(configured: Settings, channels: Channels) -> Consents | None:
    """Where teachers' own consents are stored, if calls use them."""
    if configured.auth_mode is not AuthMode.OAUTH:
        return None
    if configured.oauth_token_file:
        from functions.adapters.consent.in_file import FileConsents

        return FileConsents(configured.oauth_token_file)
    from google.api_core.client_options import ClientOptions
    from google.cloud import secretmanager_v1 as secret_manager
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
        SecretManagerServiceGrpcAsyncIOTransport,
    )

    from functions.adapters.consent.in_secret_manager import SecretConsents

    if configured.is_local:
        channel = channels.to(configured.secret_manager_api_endpoint)
        client = secret_manager.SecretManagerServiceAsyncClient(
            transport=SecretManagerServiceGrpcAsyncIOTransport(channel=channel)
        )
    else:
        client = secret_manager.SecretManagerServiceAsyncClient(
            client_options=ClientOptions(api_endpoint=configured.secret_manager_api_endpoint)
        )
    return SecretConsents(
        client, project=configured.google_cloud_project or "", service_account_email=configured.service_account_email
    )


@dataclass(frozen=True, slots=True)
class Consenting:
    """What is needed to ask a teacher for consent.

    Attributes:
        consents: Where the consent is kept.
        account: The person who gave a token; raises the same errors as `People.me`.
        stand_in: The address of a stand-in of Google's authorization server, if everything is on this machine.
    """

    consents: Consents
    account: Callable[[Credentials], Awaitable[Identity | None]]
    stand_in: str | None


@asynccontextmanager
async def consenting(configured: Settings) -> AsyncIterator[Consenting]:
    """What asking a teacher for consent takes, with these settings.

    Raises:
        OwnCredentialsMissing: This process has no Google credentials with which it could keep a consent.
        WrongSetting: Nobody can be asked who consented.
    """
    if not configured.people_in_use:
        raise WrongSetting("PEOPLE_API_ENDPOINT should be http://127.0.0.1:PORT when OAUTH_TOKEN_ENDPOINT is")
    channels, people = Channels(), People(configured.people_api_endpoint)
    try:
        kept = kept_consents(configured, channels)
    except DefaultCredentialsError:
        raise no_own_credentials() from None
    if kept is None:
        raise WrongSetting("AUTH_MODE should be oauth where teachers consent themselves")
    try:
        yield Consenting(kept, people.me, configured.oauth_token_endpoint if configured.is_local else None)
    finally:
        people.close()
        await channels.close()
