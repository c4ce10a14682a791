"""What is typed to ask a teacher for consent, and what is said about it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import click

from functions import settings, wiring
from functions.adapters.consent.consents import Consent
from functions.adapters.consent.errors import ConsentNotGiven
from functions.adapters.consent.in_secret_manager import ACCESSOR, PREFIX
from functions.adapters.consent.oauth_client import OAuthClient
from functions.adapters.google.credentials.capabilities import Capability
from functions.domain.conferences.model import Identity, IdentitySource
from functions.domain.errors import AttendanceError, WrongSetting
from functions.entrypoints.commands.consent.asking import Asked, ask
from functions.entrypoints.commands.consent.purposes import granted, wanted
from functions.entrypoints.commands.operate import parameters
from functions.entrypoints.commands.operate.app import AGAIN, fail, words
from functions.services.teachers.keep_subscriptions import keep
from functions.services.teachers.organizers import know
from functions.settings import AuthMode, Settings

MEND_SETTINGS = (
    "Set it with an option (--project, --service-account, --file), or in the environment (docs/settings.md). This "
    "command always uses AUTH_MODE oauth."
)
INTERRUPTED = ConsentNotGiven("Interrupted.", hint=AGAIN)


@click.command()
@click.option("--meet", is_flag=True, help="Read classes, make Meet links, find names and addresses in the school.")
@click.option("--calendar", is_flag=True, help="Put classes into the teacher's calendar.")
@click.option("--directory", is_flag=True, help="Find people by their other addresses too; schools often block it.")
@click.option("--reports", is_flag=True, help="Read the school's reports of calls (needs an administrator's account).")
@click.option(
    "--client-secrets",
    type=click.Path(path_type=Path),
    default="client_secret.json",
    envvar="OAUTH_CLIENT_FILE",
    show_default=True,
    show_envvar=True,
    metavar="FILE",
    help="The OAuth client's JSON file, downloaded from the console.",
)
@click.option(
    "--project", metavar="ID", help="The project whose Secret Manager stores it (default: GOOGLE_CLOUD_PROJECT)."
)
@click.option(
    "--service-account",
    metavar="EMAIL",
    help="The service account that may read it there (default: SERVICE_ACCOUNT_EMAIL).",
)
@click.option(
    "--file",
    "token_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Store it in this file instead, on your own machine (default: OAUTH_TOKEN_FILE).",
)
@click.option("--expect", callback=parameters.emails, metavar="EMAIL", help="Accept only the consent of this account.")
@click.option("--no-browser", is_flag=True, help="Print the address of Google's page instead of opening it.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=0, help="The port for Google's answer (default: any free port)."
)
@click.option(
    "--timeout",
    "seconds",
    type=click.IntRange(1, 3600),
    default=300,
    show_default=True,
    help="Seconds to wait for the consent.",
)
@click.option("--narrow", is_flag=True, help="Store the consent even if it allows less than the stored one.")
def setup_oauth(
    *,
    client_secrets: Path,
    project: str | None,
    service_account: str | None,
    token_file: Path | None,
    expect: parameters.Names,
    no_browser: bool,
    port: int,
    seconds: int,
    narrow: bool,
    **purposes: bool,
) -> None:
    """Let a teacher consent to what this system does with their account, and store the consent.

    May be repeated: a newer consent replaces the older one.
    """
    capabilities = wanted([f"--{name}" for name, is_asked_for in purposes.items() if is_asked_for])
    if not any(purposes.values()):
        raise click.UsageError("Name at least one purpose: --meet, and if needed --calendar, --directory, --reports.")
    if len(expect) > 1:
        raise click.BadParameter("should be one address: one teacher consents at a time.", param_hint="--expect")
    told = {"google_cloud_project": project, "service_account_email": service_account, "oauth_token_file": token_file}
    try:
        client = OAuthClient.from_file(client_secrets)
        configured = _configured({name: value for name, value in told.items() if value}, client)
        asked = Asked(
            client=client,
            capabilities=capabilities,
            expected=expect[0] if expect else None,
            port=port,
            seconds=seconds,
            opens_browser=not no_browser,
            narrows=narrow,
        )
        consent, ends_in = asyncio.run(_ask(asked, configured))
    except WrongSetting as error:
        fail(WrongSetting(error.message, hint=MEND_SETTINGS))
    except AttendanceError as error:
        fail(error)
    except KeyboardInterrupt:
        fail(INTERRUPTED)
    _say(consent, ends_in, configured)
    asyncio.run(_enter(consent, configured))


def _configured(told: Mapping[str, object], client: OAuthClient) -> Settings:
    """The settings; if no project is named, the client's own project counts."""
    mode = {"auth_mode": AuthMode.OAUTH}
    try:
        return settings.load(**mode, **told)
    except WrongSetting:
        if "google_cloud_project" in told or client.project is None:
            raise
    return settings.load(**mode, **told, google_cloud_project=client.project)


async def _ask(asked: Asked, configured: Settings) -> tuple[Consent, timedelta | None]:
    async with wiring.consenting(configured) as using:
        return await ask(asked, using)


def _say(consent: Consent, ends_in: timedelta | None, configured: Settings) -> None:
    """Where the consent is stored now, how long it lasts, and what comes next."""
    where = configured.oauth_token_file
    if where:
        click.echo(f"Stored in {where}, which only you can read. Anyone who gets it can read the teacher's classes.")
    else:
        click.echo(f"Stored in Secret Manager of the project {configured.google_cloud_project}.")
        if configured.service_account_email:
            click.echo(f"{configured.service_account_email} may read it.")
        else:
            click.echo(
                "No service account may read it yet. Name the one that the functions run as: gcloud secrets "
                f"add-iam-policy-binding {PREFIX}{consent.user.removeprefix('users/')} "
                f"--project={configured.google_cloud_project} --member=serviceAccount:EMAIL --role={ACCESSOR}"
            )
    if ends_in is not None:
        days = math.ceil(ends_in / timedelta(days=1))
        click.echo(
            f"WARNING: the consent ends in {days} days, because the consent screen is in Testing. "
            "Publish the app (console: Google Auth Platform > Audience) and run the command again."
        )
    else:
        click.echo(
            "It is valid until the teacher removes it or nobody uses it for six months. A consent given while the "
            "consent screen is "
            "in Testing ends after 7 days (console: Google Auth Platform > Audience)."
        )
    click.echo("Google keeps at most 100 consents of one account for one client; a new one then ends the oldest.")
    if granted(Capability.REPORTS, consent.scopes):
        click.echo(f"To read reports as this administrator: REPORTS_ADMIN={consent.user}")
    with_file = f" and OAUTH_TOKEN_FILE={where}" if where else ""
    click.echo(f"The functions use it with AUTH_MODE=oauth{with_file}.")


async def _enter(consent: Consent, configured: Settings) -> None:
    """Track a teacher whose consent is stored, and print the result: functions know teachers by account and address.

    Nothing happens for an account that only reads reports.

    The consent stays stored even if this fails, and `make enroll` does the same again.
    """
    if not granted(Capability.MEETINGS, consent.scopes):
        return
    try:
        app = wiring.build(configured)
        try:
            identity = Identity(consent.user, consent.email, (), None, IdentitySource.PEOPLE)
            await know(identity, deps=app.deps)
            if app.deps.subscriptions:
                await keep(consent.user, deps=app.deps)
                click.echo("From now on, Google reports the teacher's classes.")
        finally:
            await app.close()
    except AttendanceError as error:
        click.echo(f"The consent is stored, but the teacher is not tracked yet. {words(error)}", err=True)
        click.echo(f"Then: AUTH_MODE=oauth make enroll TEACHER={consent.email}", err=True)
