"""`make replay`: process parked messages again."""

from __future__ import annotations

import asyncio
import re
from collections import Counter

import click

from functions.domain.conferences.model import SyncError
from functions.domain.errors import OutOfTime, UnreadableMessage
from functions.entrypoints.commands.operate.app import moment, run, words
from functions.entrypoints.messages import events, jobs
from functions.entrypoints.messages.answer import TIME
from functions.entrypoints.messages.envelope import unwrap
from functions.ports.messages import Parked
from functions.services.operations.parking import restored
from functions.services.operations.replay import Fate, Replayed, waiting
from functions.services.operations.replay import replay as process_again
from functions.wiring import App

_ID = re.compile(r"[0-9a-f]{40}")

_WORDS = {
    Fate.DONE: "replayed.",
    Fate.UNSETTLED: "replayed; Meet may still change the conference, so the system reads it again by itself.",
    Fate.REFUSED: "replayed, but Meet refuses.",
    Fate.PARKED: "stays parked.",
    Fate.LATER: "stays parked for now.",
}


def _an_id(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _ID.fullmatch(value):
        raise click.BadParameter("should be the id of a parked message; a dry run lists the ids.")
    return value


@click.command()
@click.option("--id", "key", callback=_an_id, help="Only the message with this id.")
@click.option("--reason", help="Only messages that were parked for this reason, such as documents-refused.")
@click.option("--dry-run", is_flag=True, help="Only list the messages.")
def replay(key: str | None, reason: str | None, *, dry_run: bool) -> None:
    """Process parked messages again, as if they were delivered now: all of them, the longest parked first.

    Ends with 1 if one of them needs a person still.
    """

    async def use(app: App) -> Counter[Fate | None]:
        async def process(parked: Parked) -> SyncError | None:
            return await _redeliver(parked, app)

        fates: Counter[Fate | None] = Counter()
        async for parked in waiting(key=key, reason=reason, deps=app.deps):
            name = f"{parked.event.key}  {parked.event.reason}, parked {moment(parked.parked_at)}"
            if dry_run:
                click.echo(name)
                fates[None] += 1
                continue
            replayed = await process_again(parked, process, deps=app.deps)
            click.echo(f"{name}: {_told(replayed)}")
            fates[replayed.fate] += 1
        return fates

    fates = run(use)
    if dry_run:
        click.echo(f"{fates.total()} to replay.")
        return
    parked = sum(number for fate, number in fates.items() if fate and fate.waits)
    click.echo(f"{fates.total() - parked} replayed, {parked} still parked.")
    if any(fate and fate.needs_a_person for fate in fates):
        raise SystemExit(1)


def _told(replayed: Replayed) -> str:
    said = _WORDS[replayed.fate]
    return f"{said} {words(replayed.trouble)}" if replayed.trouble and replayed.fate is not Fate.UNSETTLED else said


async def _redeliver(parked: Parked, app: App) -> SyncError | None:
    """Process a parked message as if it was delivered now, by the function of its topic, which its attributes show.

    Returns:
        Why Meet refused until a person fixes the cause; the message is still acknowledged.

    Raises:
        Retryable: It is to be processed again later.
        Permanent: It can never succeed, or not be processed again at all.
    """
    message = unwrap(restored(parked))
    if "job" in message.attributes:
        process = jobs.process
    elif "ce-type" in message.attributes:
        process = events.process
    else:
        raise UnreadableMessage("The message's attributes name neither a job (job) nor an event (ce-type).")
    try:
        with app.patience().started(within=TIME):
            async with asyncio.timeout(TIME):
                return await process(message, app)
    except TimeoutError:
        raise OutOfTime(f"The work was not done within {TIME:.0f} seconds.") from None
