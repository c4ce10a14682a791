"""The fault plan: which calls to Meet fail, how, and how often.

The seed of a plan decides which calls fail. This depends on the request and on how often the same request came before,
never on which of two concurrent calls came first.
"""

import random
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

import grpc
from google.rpc import (  # type: ignore[import-untyped]  # the package ships stubs but no py.typed
    error_details_pb2,
    status_pb2,
)


class Request(NamedTuple):
    """The identity of a call: a second call with the same values is a retry."""

    method: str
    resource: str = ""
    page: int = 1
    acting_as: str | None = None
    filter: str = ""


@dataclass(frozen=True)
class Fault:
    """One way in which calls of `method` fail.

    Which calls: those whose name or parent contains `resource`, on this `page` (from 1), by this caller.

    How often: the first `times` of them (None: always), each with the probability `share`, but at most
    `at_most_in_a_row` times in a row for the same request.

    What happens: after `delay` the answer is `status`, with `reason` as its google.rpc.ErrorInfo. Without a status, the
    correct answer comes late. With `drop` there is no answer: the call waits until the caller gives up. (A gRPC caller
    sees a broken connection as the status UNAVAILABLE; plan it as a status.)
    """

    method: str
    status: grpc.StatusCode | None = None
    times: int | None = None
    page: int | None = None
    resource: str | None = None
    reason: str | None = None
    share: float = 1.0
    at_most_in_a_row: int | None = None
    acting_as: str | None = None
    delay: timedelta | None = None
    drop: bool = False

    def __post_init__(self) -> None:
        if self.status is None and self.delay is None and not self.drop:
            raise ValueError("A fault needs a status, a delay or a drop: without them it has no effect")
        if self.reason is not None and self.status is None:
            raise ValueError("A reason explains a status; give one")
        if self.status is grpc.StatusCode.OK:
            raise ValueError("The status OK is not a fault")

    def concerns(self, request: Request) -> bool:
        """Return whether this fault applies to this request."""
        return (
            self.method == request.method
            and self.page in (None, request.page)
            and self.acting_as in (None, request.acting_as)
            and (self.resource is None or self.resource in request.resource)
        )


class _Armed:
    """One fault, with the calls that it has failed so far."""

    def __init__(self, fault: Fault, seed: str) -> None:
        self.fault = fault
        self._seed = seed
        self._struck = 0
        self._seen: Counter[Request] = Counter()
        self._in_a_row: Counter[Request] = Counter()

    def strikes(self, request: Request) -> bool:
        """Decide whether this call fails, and count it."""
        fault = self.fault
        if not fault.concerns(request) or (fault.times is not None and self._struck >= fault.times):
            return False
        self._seen[request] += 1
        spared = fault.at_most_in_a_row is not None and self._in_a_row[request] >= fault.at_most_in_a_row
        if spared or (fault.share < 1 and self._chance(request) >= fault.share):
            self._in_a_row[request] = 0
            return False
        self._in_a_row[request] += 1
        self._struck += 1
        return True

    def _chance(self, request: Request) -> float:
        return random.Random(f"{self._seed} {request!r} {self._seen[request]}").random()


class Faults:
    """The current plan; the first fault that applies to a call decides. Any thread may change it at any time."""

    def __init__(self, faults: Sequence[Fault] = (), seed: int = 0) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self.set(*faults)

    def set(self, *faults: Fault) -> None:
        """Replace the plan and reset all counts."""
        with self._lock:
            self._armed = [_Armed(fault, f"{self._seed} {place}") for place, fault in enumerate(faults)]

    def clear(self) -> None:
        """Remove all faults: every call succeeds from now on."""
        self.set()

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter([armed.fault for armed in self._armed])

    def strike(self, request: Request) -> Fault | None:
        """Return the fault that this call gets, if any, and count it."""
        if not self._armed:  # the usual case needs no lock
            return None
        with self._lock:
            return next((armed.fault for armed in self._armed if armed.strikes(request)), None)


class Refusal(Exception):  # Meet's answer to the caller, not an error of the simulator
    """The call gets this status as its answer."""

    def __init__(self, status: grpc.StatusCode, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.reason = reason

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        """Return the metadata with which Google's servers explain an error; empty without a reason.

        google.api_core reads it into the exception's `reason`, `domain` and `metadata`.
        https://google.aip.dev/193#errorinfo
        """
        if self.reason is None:
            return ()
        info = error_details_pb2.ErrorInfo(
            reason=self.reason, domain="googleapis.com", metadata={"service": "meet.googleapis.com"}
        )
        code, _ = self.status.value
        rich = status_pb2.Status(code=code, message=self.message)
        rich.details.add().Pack(info)
        return (("grpc-status-details-bin", rich.SerializeToString()),)
