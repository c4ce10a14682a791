"""How the text of a variable is read, and what it should be if it cannot be.

By hand: importing pydantic and building its validators would take a tenth of the time in which an instance starts.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeVar

from functions.domain.classes.policy import Policy
from functions.domain.classes.sessions import CallerRole
from functions.domain.errors import InvalidRequest
from functions.domain.zones import is_time_zone

_HOST_AND_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+):(?P<port>\d{1,5})")
_EMAIL = re.compile(r"[^@\s,=]+@[^@\s,=]+")
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,100}")
_YES, _NO = frozenset({"1", "true", "t", "yes", "y", "on"}), frozenset({"0", "false", "f", "no", "n", "off"})

Named = TypeVar("Named", bound=StrEnum)
Read = TypeVar("Read")


class WrongText(ValueError):
    """The text cannot be read; the message says what it should be, and does not repeat it."""


def _host_and_port(target: str) -> re.Match[str] | None:
    match = _HOST_AND_PORT.fullmatch(target)
    return match if match and 0 < int(match["port"]) <= 65_535 else None  # noqa: PLR2004 - the largest port


def is_loopback(target: str) -> bool:
    """Whether `host:port` is on this machine, by its address alone: no name is looked up."""
    match = _host_and_port(target)
    if match is None:
        return False
    host = match["host"].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def endpoint(text: str) -> str:
    """The address of a service, without a slash at its end."""
    local = text.removeprefix("http://").removesuffix("/")
    if text.startswith("http://") and is_loopback(local):
        return f"http://{local}"
    if _host_and_port(text):
        return text
    raise WrongText("should be host:port of the real service, or http://127.0.0.1:PORT of a stand-in on this machine")


def matching(pattern: str, *, tidy: Callable[[str], str] = str) -> Callable[[str], str]:
    """Reads texts that match a pattern as a whole.

    Args:
        pattern: The pattern.
        tidy: Makes the text uniform, before it is compared.
    """

    def read(text: str) -> str:
        tidied = tidy(text)
        if not re.fullmatch(pattern, tidied):
            raise WrongText(f"should match pattern '{pattern}'")
        return tidied

    return read


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Reads whole numbers from `least` to `most`."""

    def read(text: str) -> int:
        if not _WHOLE_NUMBER.fullmatch(text.strip()):
            raise WrongText("should be an integer")
        number = int(text)
        if number < least:
            raise WrongText(f"should be greater than or equal to {least}")
        if number > most:
            raise WrongText(f"should be less than or equal to {most}")
        return number

    return read


def yes_or_no(text: str) -> bool:
    """Whether a text says yes."""
    word = text.strip().lower()
    if word not in _YES | _NO:
        raise WrongText("should be 1 or 0")
    return word in _YES


def one_of(kind: type[Named]) -> Callable[[str], Named]:
    """Reads the values of an enumeration."""

    def read(text: str) -> Named:
        try:
            return kind(text)
        except ValueError:
            *others, last = (f"'{value}'" for value in kind)
            raise WrongText(f"should be {', '.join(others)} or {last}") from None

    return read


def at_least(length: int) -> Callable[[str], str]:
    """Reads texts of at least this many characters."""

    def read(text: str) -> str:
        if len(text) < length:
            raise WrongText(f"should have at least {length} characters")
        return text

    return read


def listed(one: Callable[[str], Read]) -> Callable[[str], tuple[Read, ...]]:
    """Reads lists with commas."""
    return lambda text: tuple(one(part) for part in _parts(text))


def _parts(text: str) -> list[str]:
    return [part for part in map(str.strip, text.split(",")) if part]


def callers(text: str) -> Mapping[str, CallerRole]:
    """Roles by e-mail, of `email=role,…`."""
    roles: dict[str, CallerRole] = {}
    for pair in _parts(text):
        email, _, role = (part.strip() for part in pair.rpartition("="))
        known = email == "*" or _EMAIL.fullmatch(email)
        if not known or role not in set(CallerRole) or email.lower() in roles:
            raise WrongText("should be email=role,… with the roles lms and admin, and every e-mail once")
        roles[email.lower()] = CallerRole(role)
    return roles


def policy(text: str) -> Policy:
    """The policy that JSON describes."""
    try:
        wanted = json.loads(text)
    except (ValueError, RecursionError):
        wanted = None
    if not isinstance(wanted, dict):
        raise WrongText('should be a JSON object such as {"late_after_minutes": 10}')
    try:
        return Policy().changed(wanted)
    except InvalidRequest as error:
        raise WrongText("; ".join(f"{one.field} {one.reason}" for one in error.errors)) from None


def store(text: str) -> str:
    """The place where documents are stored."""
    if text != "firestore" and not re.fullmatch(r"sqlite:///.+", text):
        raise WrongText("should be 'firestore' or 'sqlite:///PATH'")
    return text


def time_zone(text: str) -> str:
    """The name of a time zone."""
    if not is_time_zone(text):
        raise WrongText("should be an IANA time zone such as 'Europe/Berlin'")
    return text
