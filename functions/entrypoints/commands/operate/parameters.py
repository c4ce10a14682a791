"""What commands take, checked as it is typed: a wrong value is answered with what it should be."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta

import click

_EMAIL = (
    r"[!-+\--.0-?A-~]{1,128}@[!-+\--.0-?A-~]{1,128}"  # printable ASCII: calls cannot be made with any other address
)
_AGO = re.compile(r"(\d{1,5})([dh])")

Since = timedelta | datetime | date
"""A duration ago, a moment, or the beginning of a day in the school's time zone."""

Names = tuple[str, ...]
"""Each once, e-mail addresses in lower case."""


def since(_ctx: click.Context, _param: click.Parameter, value: str) -> Since:
    """A time in the past."""
    ago = _AGO.fullmatch(value)
    if ago:
        number = int(ago[1])
        return timedelta(days=number) if ago[2] == "d" else timedelta(hours=number)
    for read in (date.fromisoformat, datetime.fromisoformat):
        try:
            moment = read(value)
        except ValueError:
            continue
        if not isinstance(moment, datetime) or moment.tzinfo:
            return moment
    raise click.BadParameter(
        "should be 30d, 12h, a date such as 2026-11-23, or a time with an offset such as 2026-11-23T09:00:00+01:00."
    )


def _names(pattern: str, meaning: str) -> Callable[[click.Context, click.Parameter, str | None], Names]:
    """Takes names that look like a pattern, with commas between them; none if the option is left out."""
    looks = re.compile(pattern)

    def names(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Names:
        if value is None:
            return ()
        found = [name.strip() for name in value.split(",") if name.strip()]
        if not found or not all(map(looks.fullmatch, found)):
            raise click.BadParameter(f"should be {meaning}; separate several with commas.")
        return tuple(dict.fromkeys(name if name.startswith("users/") else name.lower() for name in found))

    return names


emails = _names(_EMAIL, "a teacher's e-mail address")
teachers = _names(rf"users/[A-Za-z0-9._~-]{{1,256}}|{_EMAIL}", "a teacher's e-mail address or users/ID")
