"""`make status`: the state of the system, and what fixes the rest."""

from __future__ import annotations

from collections.abc import Iterator

import click

from functions.entrypoints.api.schemas.operators import Status
from functions.entrypoints.commands.operate.app import moment, run
from functions.services.operations.survey import Finding, Findings, Survey, survey
from functions.wiring import App


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the answer of GET /api/status as JSON.")
@click.option("--check", is_flag=True, help="Exit with code 1 if a person must act.")
def status(*, as_json: bool, check: bool) -> None:
    """Show the state of the system, and what fixes the rest.

    It prints only ids, no names and no addresses.
    """

    async def look(app: App) -> Survey:
        return await survey(views=app.views, now=app.deps.clock())

    found = run(look)
    click.echo(Status.of(found).model_dump_json(indent=2) if as_json else "\n".join(_lines(found)))
    if check and found.needs_a_person:
        raise SystemExit(1)


def _lines(found: Survey) -> Iterator[str]:
    yield f"Teachers: {found.organizers} tracked, {found.active_organizers} with an active subscription."
    if not found.organizers:
        yield "  No teacher is tracked, so no events arrive. Enrol a teacher: make enroll TEACHER=…"
    yield f"Last sync: {moment(found.last_sync_at) if found.last_sync_at else 'none yet'}."
    if check := found.sessions_check:
        told = f"{check.conferences} conferences compared since {moment(check.began_at)}, {check.differences}"
        yield f"Events against full reads: {told} people differed (corrected)."
    yield from _group("Teachers without an active subscription", found.organizers_without_subscription)
    yield from _group("Teachers whose conferences could not be looked for", found.unreconciled_organizers)
    yield from _group("Conferences that could not be read", found.failed_conferences)
    yield from _group("Conferences whose data is not final yet", found.provisional_conferences)
    yield from _group("Class meetings that are overdue", found.overdue_sessions)
    yield from _group("Class meetings that Calendar shows wrongly or not at all", found.sessions_not_in_calendar)
    yield from _group("Messages that could not be processed", found.parked_events)
    yield ""
    yield "A person must act: see above." if found.needs_a_person else "Nobody needs to act."


def _group(title: str, troubles: Findings) -> Iterator[str]:
    if not troubles.first:
        return
    yield ""
    yield f"{title}: {f'more than {troubles.count}; these are the first' if troubles.more else troubles.count}"
    for trouble in troubles.first:
        yield from _trouble(trouble)


def _trouble(trouble: Finding) -> Iterator[str]:
    since = f", since {moment(trouble.since)}" if trouble.since else ""
    yield f"  {trouble.id}: {trouble.reason}{since}"
    yield f"    {trouble.hint}"
