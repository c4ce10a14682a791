"""`make enroll`: have Google report a teacher's conferences from now on."""

from __future__ import annotations

from collections.abc import Sequence

import click

from functions.domain.classes.sessions import Caller, CallerRole, TrackedOrganizer
from functions.domain.errors import AttendanceError
from functions.entrypoints.commands.operate import parameters
from functions.entrypoints.commands.operate.app import moment, run, words
from functions.services.teachers.impersonation import require_allowed
from functions.services.teachers.organizers import enrol
from functions.wiring import App

OPERATOR = Caller(None, CallerRole.ADMIN)
"""A person who has the settings may do what an administrator may."""


@click.command()
@click.option(
    "--teacher",
    "emails",
    callback=parameters.emails,
    required=True,
    metavar="EMAIL,…",
    help="The teachers' e-mail addresses, with commas between them.",
)
@click.option("--dry-run", is_flag=True, help="Only show which teachers are tracked and which may be.")
def enroll(emails: Sequence[str], *, dry_run: bool) -> None:
    """Track teachers: Google reports their conferences by events from now on. May be repeated.

    Ends with 1 if one of them could not be tracked; the others are.
    """

    async def use(app: App) -> bool:
        # One after the other, so that the output has the order in which they were typed.
        return all([await _one(email, app, dry_run=dry_run) for email in emails])

    if not run(use):
        raise SystemExit(1)


async def _one(email: str, app: App, *, dry_run: bool) -> bool:
    try:
        if dry_run:
            tracked = await require_allowed(email, caller=OPERATOR, deps=app.deps)
            click.echo(f"{email}: {_described(tracked) if tracked else 'is not tracked yet and may be'}.")
        else:
            enrolled = await enrol(email, caller=OPERATOR, deps=app.deps)
            since = "from now on" if enrolled.created else "as before"
            click.echo(f"{email}: {_described(enrolled.organizer)}, {since}.")
    except AttendanceError as error:
        click.echo(f"{email}: failed. {words(error)}", err=True)
        return False
    return True


def _described(organizer: TrackedOrganizer) -> str:
    subscription = organizer.subscription
    if subscription is None:
        return f"tracked as {organizer.user}, without a subscription"
    until = f" until {moment(subscription.expire_time)}" if subscription.expire_time else ""
    return f"tracked as {organizer.user}, subscription {subscription.state.value}{until}"
