"""The teacher who has consented, entered where the functions look: they know teachers by account and by address."""

from __future__ import annotations

import click

from functions import wiring
from functions.adapters.consent.consents import Consent
from functions.adapters.google.credentials.capabilities import Capability
from functions.domain.conferences.model import Identity, IdentitySource
from functions.domain.errors import AttendanceError
from functions.entrypoints.commands.consent.purposes import granted
from functions.entrypoints.commands.operate.app import words
from functions.services.teachers.keep_subscriptions import keep
from functions.services.teachers.organizers import know
from functions.settings import Settings


async def enter(consent: Consent, configured: Settings) -> None:
    """Track a teacher whose consent is stored, and print the result.

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
