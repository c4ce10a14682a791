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
    """One call. The path is percent-encoded as it came; header names are lower case."""

    verb: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def content_type(self) -> str:
        """The media type of the body, without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def parameters(self) -> list[tuple[str, str]]:
        """The query's parameters in their order, empty ones too."""
        return parse_qsl(self.query, keep_blank_values=True)

    def form(self) -> list[tuple[str, str]]:
        """The body's parameters, likewise."""
        return parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True)


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that is broken: the parameter or field, and a sentence that names it and quotes the rule."""

    field: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a call."""

    status: int
    content_type: str
    body: bytes


class Rule(ABC):
    """What a service says about one of its calls."""

    @abstractmethod
    def broken_by(self, call: Call) -> Sequence[Violation]:
        """What is wrong with a call."""

    @abstractmethod
    def refusal(self, violations: Sequence[Violation]) -> Answer:
        """How the service refuses such a call."""

    @abstractmethod
    def checked(self, call: Call, answer: Answer) -> tuple[Answer, Sequence[Violation]]:
        """The stand-in's answer as the service would send it, and what the service would not say."""

    @abstractmethod
    def blames(self, answer: Answer) -> str | None:
        """The words with which the stand-in itself calls the request malformed; None if it does not."""


class Rules(Protocol):
    """What a service says about its calls."""

    def find(self, verb: str, path: str) -> Rule | None:
        """The rule for a call; None if the service does not have this call."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that broke a rule, or an answer of the stand-in that did."""

    call: str
    words: str
    of_answer: bool = False

    def __str__(self) -> str:
        """Name the call and the rule."""
        return f"{self.call}: {'the stand-in answered wrongly: ' if self.of_answer else ''}{self.words}"


class CallsRefused(AssertionError):
    """A stand-in was called in a way that Google refuses, and nobody said that this was expected."""


class Refusals:
    """Every refusal until a test takes it; for any thread."""

    def __init__(self) -> None:
        self._refusals: list[Refusal] = []
        self._lock = threading.Lock()

    def add(self, refusal: Refusal) -> None:
        """Record one, and log it."""
        log.warning("%s", refusal)
        with self._lock:
            self._refusals.append(refusal)

    def take(self) -> list[Refusal]:
        """All so far, in their order. Who takes them has expected them: they fail nothing any more."""
        with self._lock:
            taken, self._refusals = self._refusals, []
        return taken

    def check(self, where: str) -> None:
        """Raise CallsRefused if there are any that nobody took."""
        if taken := self.take():
            lines = "\n".join(f"  {refusal}" for refusal in dict.fromkeys(taken))
            raise CallsRefused(
                f"{where} refused {len(taken)} calls as Google would:\n{lines}\n"
                "Correct the call. A test that expects refusals takes them: stand_in.refusals.take()"
            )
