"""A call as it arrived, and what is wrong with it."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import parse_qsl

log = logging.getLogger(__name__)

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Call:
    """One call. The path is percent-encoded, as it arrived; header names are in lower case."""

    verb: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def content_type(self) -> str:
        """Return the media type of the body, without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def parameters(self) -> list[tuple[str, str]]:
        """Return the query's parameters in their order, including empty ones."""
        return parse_qsl(self.query, keep_blank_values=True)

    def form(self) -> list[tuple[str, str]]:
        """Return the body's parameters in their order, including empty ones."""
        return parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True)


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule: the parameter or field, and a sentence that names it and quotes the rule."""

    field: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a call."""

    status: int
    content_type: str
    body: bytes


class Rule(ABC):
    """A service's rule for one of its calls."""

    @abstractmethod
    def broken_by(self, call: Call) -> Sequence[Violation]:
        """Return what is wrong with a call."""

    @abstractmethod
    def refusal(self, violations: Sequence[Violation]) -> Answer:
        """Return the service's answer to a call with these violations."""

    @abstractmethod
    def checked(self, call: Call, answer: Answer) -> tuple[Answer, Sequence[Violation]]:
        """Return the stand-in's answer in the service's form, and all parts that the service would never send."""

    @abstractmethod
    def blames(self, answer: Answer) -> str | None:
        """Return the stand-in's own message if it calls the request malformed; None if it does not."""


class Rules(Protocol):
    """A service's rules for its calls."""

    def find(self, verb: str, path: str) -> Rule | None:
        """Return the rule for a call; None if the service does not have this call."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call, or an answer of the stand-in, that broke a rule."""

    call: str
    words: str
    of_answer: bool = False

    def __str__(self) -> str:
        """Name the call and the rule."""
        return f"{self.call}: {'the stand-in answered wrongly: ' if self.of_answer else ''}{self.words}"


class CallsRefused(AssertionError):
    """A stand-in was called in a way that Google refuses, and no test expected this."""


class Refusals:
    """All refusals that no test has taken yet. Any thread may use it."""

    def __init__(self) -> None:
        self._refusals: list[Refusal] = []
        self._lock = threading.Lock()

    def add(self, refusal: Refusal) -> None:
        """Record a refusal, and log it."""
        log.warning("%s", refusal)
        with self._lock:
            self._refusals.append(refusal)

    def take(self) -> list[Refusal]:
        """Return all refusals so far, in order. The caller expected them, so they no longer cause a failure."""
        with self._lock:
            taken, self._refusals = self._refusals, []
        return taken

    def check(self, where: str) -> None:
        """Raise CallsRefused if there are refusals that nobody took."""
        if taken := self.take():
            lines = "\n".join(f"  {refusal}" for refusal in dict.fromkeys(taken))
            raise CallsRefused(
                f"{where} refused {len(taken)} calls as Google would:\n{lines}\n"
                "Correct the call. A test that expects refusals takes them: stand_in.refusals.take()"
            )
