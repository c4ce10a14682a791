"""What a teacher may consent to: in the words of Google's page, and in ours."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from functions.adapters.google.credentials.capabilities import Capability


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a capability is for.

    Attributes:
        words: What this system does with it.
        boxes: What Google's page says next to its boxes.
        flag: The option with which it is requested.
    """

    words: str
    boxes: tuple[str, ...]
    flag: str


# The permission to read meetings is enough to find a room, so there is no option for it.
PURPOSES: Final[Mapping[Capability, Purpose]] = {
    Capability.MEETINGS: Purpose(
        "read who was in your classes, and when",
        ("Read information about any of your Google Meet conferences",),
        "--meet",
    ),
    Capability.MAKE_ROOM: Purpose(
        "make a Meet link for a class that has none",
        ("Create, edit, and see information about your Google Meet conferences created by the app",),
        "--meet",
    ),
    Capability.PEOPLE: Purpose(
        "find the names and addresses of people in your school",
        ("See and download your organization's Google Workspace directory",),
        "--meet",
    ),
    Capability.OWN_ACCOUNT: Purpose(
        "know who you are",
        (
            "See your primary Google Account email address",
            "See your personal info, including any personal info you've made publicly available",
        ),
        "",
    ),
    Capability.DIRECTORY: Purpose(
        "find people in your school by their other addresses",
        ("See info about users on your domain",),
        "--directory",
    ),
    Capability.CALENDAR: Purpose(
        "put classes into your calendar", ("View and edit events on all your calendars",), "--calendar"
    ),
    Capability.REPORTS: Purpose(
        "read the school's reports of calls (administrators)",
        ("View audit reports for your Google Workspace domain",),
        "--reports",
    ),
}

FLAGS: Final = ("--meet", "--calendar", "--directory", "--reports")


def wanted(flags: Collection[str]) -> tuple[Capability, ...]:
    """The capabilities that some options ask for.

    The account that consents is always requested too, because a consent is stored by account.
    """
    return tuple(each for each, purpose in PURPOSES.items() if not purpose.flag or purpose.flag in flags)


def scopes_of(capabilities: Iterable[Capability]) -> frozenset[str]:
    """The scopes that capabilities need."""
    return frozenset(scope for capability in capabilities for scope in capability.scopes)


def granted(capability: Capability, scopes: Collection[str]) -> bool:
    """Whether these scopes include everything that a capability needs."""
    return set(capability.scopes) <= set(scopes)


def flags_for(scopes: Collection[str]) -> str:
    """The options that ask for everything that these scopes allow."""
    needed = {purpose.flag for each, purpose in PURPOSES.items() if granted(each, scopes)}
    return " ".join(flag for flag in FLAGS if flag in needed)
