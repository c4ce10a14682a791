"""`make backfill SOURCE=reports`: what is said while Google's reports are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import click

from functions.domain.classes.sessions import TrackedOrganizer
from functions.entrypoints.commands.operate.app import Failures, moment
from functions.services.deps import Deps
from functions.services.operations.backfill import Failed, Reach, Read
from functions.services.operations.backfill_reports import ReportedCall, Step, Unplaced, backfill_from_reports

_UNPLACED = (
    "No class was ever scheduled with the meeting code of these calls, and Meet no longer knows the room: the calls "
    "are not stored. If you schedule a class with this meeting_code afterwards, you can read that class."
)


async def read_reports(
    organizers: Collection[TrackedOrganizer], *, reached: Reach, failures: Failures, deps: Deps, dry_run: bool
) -> None:
    """Read the calls of some teachers from Google's reports, and say so.

    Raises:
        AttendanceError: Reports cannot be read.
    """
    if reached.cut:
        click.echo(
            f"Reports go back 180 days: calls that ended before {moment(reached.since)} are not in them.", err=True
        )
    counts: Counter[type[Step]] = Counter()

    def tell(step: Step) -> None:
        counts[type(step)] += 1
        match step:
            case ReportedCall(record):
                if dry_run:
                    click.echo(f"  {record}")
            case Read(record):
                click.echo(f"  {record}: read")
            case Unplaced(record):
                click.echo(f"  {record}: in an unknown room")
            case Failed(record, trouble):
                failures.append((record, trouble))
                click.echo(f"  {record}: failed ({trouble.reason})")

    if organizers:
        await backfill_from_reports(organizers, since=reached.since, tell=tell, deps=deps, dry_run=dry_run)
    done = "" if dry_run else f", {counts[Read]} read, {counts[Failed]} failed"
    click.echo(f"Calls in the reports: {counts[ReportedCall]}{done}.")
    if counts[Unplaced]:
        click.echo(f"{counts[Unplaced]} in unknown rooms. {_UNPLACED}", err=True)
    click.echo("Reports can be up to a day late: calls that ended since yesterday may be missing.", err=True)
