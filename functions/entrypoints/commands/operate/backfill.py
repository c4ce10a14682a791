"""`make backfill`: read what Meet, or Google's reports, still remember of the time before."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from datetime import datetime, time, timedelta
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo

import click

from functions.domain.classes.sessions import TrackedOrganizer
from functions.domain.conferences.reported import REACH
from functions.domain.errors import NotFound
from functions.entrypoints.commands.operate import parameters
from functions.entrypoints.commands.operate.app import Failures, fail, moment, run, words
from functions.services.deps import Deps
from functions.services.operations.backfill import Failed, Listed, Reach, Read, Step, reach
from functions.services.operations.backfill import backfill as read_missing
from functions.services.operations.backfill_reports import ReportedCall, Unplaced, backfill_from_reports
from functions.services.operations.backfill_reports import Step as ReportsStep
from functions.services.teachers.tracked import tracked_organizer
from functions.settings import Settings
from functions.wiring import App

INTERRUPTED = 130
"""The exit code that shells give a command ended by Ctrl-C."""


_UNPLACED = (
    "No class was ever scheduled with the meeting code of these calls, and Meet no longer knows the room: the calls "
    "are not stored. If you schedule a class with this meeting_code afterwards, you can read that class."
)


@click.command()
@click.option(
    "--since",
    callback=parameters.since,
    required=True,
    help="How far back: 30d, 12h, a date, or a time with an offset.",
)
@click.option("--teacher", "names", callback=parameters.teachers, metavar="TEACHER,…", help="E-mails or users/ID.")
@click.option(
    "--source", type=click.Choice(["meet", "reports"]), default="meet", help="Where to look: meet or reports."
)
@click.option("--dry-run", is_flag=True, help="Only show what would be read.")
def backfill(since: parameters.Since, names: Sequence[str], source: str, *, dry_run: bool) -> None:
    """Read the conferences of tracked teachers, all or those named, that are missing, failed or not final.

    Uses at most half of each teacher's quota. After an interruption, the same command continues where it stopped. Ends
    with 1 if something could not be read. With --source reports, read Google's reports of the last 180 days; where Meet
    shows the same call, Meet's data counts.
    """

    async def use(app: App) -> Failures:
        now = app.deps.clock()
        wanted = _moment(since, now=now, time_zone=app.deps.rules.time_zone)
        failures: Failures = []
        organizers = await _organizers(names, failures, app)
        if source == "reports":
            reached = reach(wanted, now=now, kept=REACH)
            await _read_reports(organizers, reached=reached, failures=failures, deps=app.deps, dry_run=dry_run)
            return failures
        reached = reach(wanted, now=now)
        if reached.cut:
            click.echo(
                f"Meet keeps data for 30 days: conferences that ended before {moment(reached.since)} cannot be read.",
                err=True,
            )
        for organizer in organizers:
            with _Teacher(failures, dry_run=dry_run) as teacher:
                await read_missing(organizer, since=reached.since, tell=teacher.tell, deps=app.deps, dry_run=dry_run)
        return failures

    try:
        failures = run(use, adjusted=with_half_of_the_quota)
    except KeyboardInterrupt:
        click.echo("\nStopped. What was read is stored. Run the same command to continue.", err=True)
        raise SystemExit(INTERRUPTED) from None
    for what, trouble in failures:
        click.echo(f"{what}: failed. {words(trouble)}", err=True)
    if failures:
        raise SystemExit(1)


def with_half_of_the_quota(configured: Settings) -> Settings:
    """Settings that leave the other half of an organizer's calls a minute to live traffic."""
    limit = configured.meet_reads_per_minute
    return dataclasses.replace(configured, meet_reads_per_minute=max(limit // 2, 1) if limit else 0)


def _moment(since: parameters.Since, *, now: datetime, time_zone: str) -> datetime:
    match since:
        case timedelta():
            return now - since
        case datetime():
            found = since
        case _:
            found = datetime.combine(since, time(), tzinfo=ZoneInfo(time_zone))
    if found > now:
        raise click.BadParameter("should not be in the future.", param_hint="--since")
    return found


async def _organizers(names: Sequence[str], failures: Failures, app: App) -> Sequence[TrackedOrganizer]:
    if not names:
        everyone = await app.deps.store.organizers()
        if not everyone:
            fail(NotFound("No teacher is tracked.", hint="Enroll the teachers first: make enroll TEACHER=…"))
        return everyone
    organizers = []
    for name in names:
        try:
            organizers.append(await tracked_organizer(name, deps=app.deps))
        except NotFound as error:
            failures.append((name, error))
    return organizers


class _Teacher:
    """Shows the progress with one teacher's conferences: a bar on a terminal, otherwise a line for each.

    Args:
        failures: Where failures are added.
        dry_run: Whether nothing is read.
    """

    def __init__(self, failures: Failures, *, dry_run: bool) -> None:
        self._failures = failures
        self._dry_run = dry_run
        self._listed: Listed | None = None
        self._bar: Any = None  # click's own type of it is not public
        self._open = ExitStack()
        self._settled = self._unsettled = self._failed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()
        if self._listed and self._listed.wanted and kind is None and not self._dry_run:
            failed = f", {self._failed} failed" if self._failed else ""
            unsettled = f", {self._unsettled} of them not settled yet" if self._unsettled else ""
            read = self._settled + self._unsettled
            click.echo(f"{self._listed.user}: {read} read{unsettled}{failed}.")

    def tell(self, step: Step) -> None:
        """Show a step."""
        match step:
            case Listed():
                self._begin(step)
            case Read():
                self._settled += step.settled
                self._unsettled += not step.settled
                self._go_on(f"  {step.conference_record}: read{'' if step.settled else ', not settled yet'}")
            case Failed():
                self._failed += 1
                self._failures.append((step.what, step.trouble))
                self._go_on(f"  {step.what}: failed ({step.trouble.reason})")

    def _begin(self, listed: Listed) -> None:
        self._listed = listed
        click.echo(f"{listed.user}: Meet knows {listed.found} conferences, {len(listed.wanted)} to be read.")
        if self._dry_run:
            for name in listed.wanted:
                click.echo(f"  {name}")
        elif listed.wanted and sys.stdout.isatty():
            self._bar = self._open.enter_context(click.progressbar(length=len(listed.wanted), show_pos=True))

    def _go_on(self, line: str) -> None:
        if self._bar is not None:
            self._bar.update(1)
        else:
            click.echo(line)


async def _read_reports(
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
    counts: Counter[type[ReportsStep]] = Counter()

    def tell(step: ReportsStep) -> None:
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
