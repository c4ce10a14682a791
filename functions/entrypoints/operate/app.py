"""The application for one command: built, used, closed; whatever goes wrong is said in a sentence."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import click

from functions import settings, wiring
from functions.domain.errors import AttendanceError, WrongSetting
from functions.wiring import App

CANNOT = 2
"""The exit code of a command that could not do what it was asked for; click's own for a wrong argument."""

_SET_IT = "Set the variable in the environment of this command: docs/settings.md."

T = TypeVar("T")


def run(use: Callable[[App], Awaitable[T]]) -> T:
    """Do something with the application that the environment describes.

    Args:
        use: What to do with it, within an event loop of its own.

    Returns:
        What `use` returned.

    Raises:
        SystemExit: It could not be done; why, and what to do about it, is said on standard error.
    """
    try:
        return asyncio.run(_within(use))
    except AttendanceError as error:
        fail(error)


def fail(error: AttendanceError) -> NoReturn:
    """Say why a command could not be done, and what to do about it, and end it.

    Raises:
        SystemExit: Always.
    """
    click.echo(error.message, err=True)
    # The error's own hint speaks of the deployed functions.
    hint = _SET_IT if isinstance(error, WrongSetting) else error.hint
    if hint:
        click.echo(hint, err=True)
    raise SystemExit(CANNOT) from None


async def _within(use: Callable[[App], Awaitable[T]]) -> T:
    # Not `wiring.app()`: its log lines would stand among what the command prints.
    app = wiring.build(settings.load())
    try:
        return await use(app)
    finally:
        await app.close()
