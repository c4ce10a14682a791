"""Checks queries and commits against Firestore's rules, and records everything that it sees."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from infra.local.firestore_gate.indexes import Index, Indexes
from infra.local.firestore_gate.measure import MOST_BYTES, Measure, TooLarge, check_moment, check_name, measured
from infra.local.firestore_gate.planner import NotServed, Shape, serving, shape_of

Message = Any  # protobuf makes its classes at run time

FAILED_PRECONDITION: Final = "FAILED_PRECONDITION"
INVALID_ARGUMENT: Final = "INVALID_ARGUMENT"
UNIMPLEMENTED: Final = "UNIMPLEMENTED"

NAMES: Final = Path(__file__).parents[2] / "deploy/names.sh"
EXPIRING: Final = frozenset(re.findall(r"^EXPIRING=\(([^)]*)\)", NAMES.read_text(), re.MULTILINE)[0].split())
"""The collection groups to which the deployment gives a time-to-live policy."""

HOUR: Final = 3600.0
_CLOCKS_APART: Final = 5.0

_LINK: Final = "You can create it here: https://console.firebase.google.com/project/_/firestore/indexes"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that Firestore would have refused.

    Attributes:
        status: The name of the gRPC status.
        words: Firestore's message.
        about: An explanation for the reader of a failed test: the query and the index that it needs, or the commit.
    """

    status: str
    words: str
    about: str

    def __str__(self) -> str:
        return f"{self.status}: {self.words}\n  {self.about}"


class Refused(Exception):
    """A request was refused."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.words)
        self.refusal = refusal


class Gate:
    """Checks every request against the indexes.

    Args:
        indexes: The existing indexes; by default those of the deployment.
        log: A file to which refusals are appended, so that another process can read them.

    Attributes:
        indexes: The existing indexes.
        refusals: All refusals, in order.
        shapes: The queries so far, without their values.
        used: The indexes that served these queries.
        commits: The size of each commit.
        fields: The fields that were written, by collection group.
        is_open: Whether everything passes without a check or a record.
        most_bytes: The maximum size of a commit with its index entries. Google publishes no figure, so the real limit
            may be lower than our assumption.
    """

    def __init__(self, indexes: Indexes | None = None, *, log: str | None = None) -> None:
        self.indexes = indexes or Indexes.deployed()
        self._log = log
        self.refusals: list[Refusal] = []
        self.shapes: set[Shape] = set()
        self.used: set[Index] = set()
        self.commits: list[Measure] = []
        self.fields: defaultdict[str, set[str]] = defaultdict(set)
        self.is_open = False
        self.most_bytes = MOST_BYTES

    def take(self) -> list[Refusal]:
        """Return the refusals since the last call."""
        taken, self.refusals = self.refusals, []
        return taken

    def read(self, request: Message) -> None:
        """Check which documents a BatchGetDocumentsRequest requests, or the read time of a RunQueryRequest.

        Raises:
            Refused: Firestore would refuse it.
        """
        if self.is_open:
            return
        documents = getattr(request, "documents", ())
        try:
            for name in documents:
                check_name(name)
                if not name.startswith(f"{request.database}/documents/"):
                    raise TooLarge("A document is not a child resource of the database.")  # noqa: TRY301
            check_moment(request, "read_time")
            if request.HasField("read_time"):
                _check_age(request.read_time.seconds)
        except TooLarge as error:
            raise self.refused(INVALID_ARGUMENT, error.words, f"a read of {len(documents)} documents") from None

    def query(self, structured: Message) -> None:
        """Check a StructuredQuery against the indexes.

        Raises:
            Refused: Firestore would refuse it.
        """
        if self.is_open:
            return
        try:
            shape = shape_of(structured)
            self.shapes.add(shape)
            self.used.update(serving(shape, self.indexes))
        except NotServed as error:
            if error.missing is None:
                raise self.refused(INVALID_ARGUMENT, error.words, f"query of {_collection(structured)}") from None
            about = f"query of {_collection(structured)} needs, in infra/firestore.indexes.json:\n  "
            about += json.dumps(error.missing)
            raise self.refused(FAILED_PRECONDITION, f"{error.words} {_LINK}", about) from None

    def commit(self, request: Message) -> None:
        """Measure a CommitRequest.

        Raises:
            Refused: Firestore would refuse the commit, or would never delete one of its documents.
        """
        if self.is_open:
            return
        for write in request.writes:
            group = write.update.name.rpartition("/")[0].rpartition("/")[2]
            self.fields[group].update(write.update.fields)
            if "expire_at" in write.update.fields and group not in EXPIRING:
                words = "A document says when it expires, and its collection group has no time-to-live policy."
                raise self.refused(INVALID_ARGUMENT, words, f"add '{group}' to EXPIRING in infra/deploy/names.sh")
        try:
            measure = measured(request, self.indexes, most_bytes=self.most_bytes)
        except TooLarge as error:
            about = f"commit of {len(request.writes)} writes, {request.ByteSize():,} bytes"
            raise self.refused(INVALID_ARGUMENT, error.words, about) from None
        self.commits.append(measure)

    def refused(self, status: str, words: str, about: str) -> Refused:
        """Record a refusal; the caller must still raise it."""
        refusal = Refusal(status, words, about)
        self.refusals.append(refusal)
        if self._log:
            with Path(self._log).open("a") as log:
                log.write(f"{refusal}\n")
        return Refused(refusal)


def _check_age(seconds: int) -> None:
    """Check the age of a read time: unlike the emulator, Firestore only reads "within the past one hour"."""
    age = datetime.now(UTC).timestamp() - seconds
    if age > HOUR + 1:
        raise TooLarge("The requested snapshot version is too old.")
    if age < -_CLOCKS_APART:
        raise TooLarge("The requested snapshot version is in the future.")


def _collection(structured: Message) -> str:
    if not structured.from_:
        return "nothing"
    return ("all collections " if structured.from_[0].all_descendants else "") + str(structured.from_[0].collection_id)
