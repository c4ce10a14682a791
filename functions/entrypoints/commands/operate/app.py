"""The application for one command: built, used and closed; every error is printed as a sentence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import NoReturn, TypeVar

import click

from functions import settings, wiring
from functions.domain.conferences.model import SyncError
from functions.domain.errors import AttendanceError, ErasureNotSetUp, Retryable, WrongSetting
from functions.settings import Settings
from functions.wiring import App

CANNOT = 2
"""The exit code of a command that could not do its work; the same as click's own for a wrong argument."""

MEND_SETTINGS = (
    "This command needs the same variables as the deployed functions (docs/settings.md). For the local stack, "
    "`make run` shows how to set them."
)

AGAIN = "Run the command again: repeating finished work does no harm."

Failures = list[tuple[str, AttendanceError | SyncError]]
"""What failed, by the name that is shown, and why."""

T = TypeVar("T")


def run(use: Callable[[App], Awaitable[T]], *, adjusted: Callable[[Settings], Settings] | None = None) -> T:
    """Do something with the application that the environment describes.

    Args:
        use: What to do with it, within an event loop of its own.
        adjusted: Makes the settings that this command needs of those in the environment.

    Returns:
        What `use` returned.

    Raises:
        SystemExit: It could not be done; why, and what to do about it, is said on standard error.
    """
    try:
        configured = settings.load()
        if "log_level" in configured.named:
            logging.getLogger().setLevel(configured.log_level)
        return asyncio.run(_within(use, adjusted(configured) if adjusted else configured))
    except ErasureNotSetUp as error:
        fail(error)
    except WrongSetting as error:
        fail(WrongSetting(error.message, hint=MEND_SETTINGS))
    except AttendanceError as error:
        fail(error)


def fail(error: AttendanceError) -> NoReturn:
    """Say why a command could not be done, and what to do about it, and end it.

    Raises:
        SystemExit: Always.
    """
    # Functions try again by themselves; a command does not.
    waits = isinstance(error, Retryable) and error.hint == type(error).default_hint
    click.echo(error.message, err=True)
    if error.hint:
        click.echo(AGAIN if waits else error.hint, err=True)
    raise SystemExit(CANNOT) from None


def words(trouble: AttendanceError | SyncError) -> str:
    """What happened and what to do about it, in one line."""
    return f"{trouble.message} {trouble.hint}".strip()


def moment(time: datetime) -> str:
    """A time as commands print it."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


async def _within(use: Callable[[App], Awaitable[T]], configured: Settings) -> T:
    # Not `wiring.app()`, because its log lines would be mixed with the command's output.
    app = wiring.build(configured)
    try:
        return await use(app)
    finally:
        await app.close()
