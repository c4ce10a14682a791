"""The quotas of the Workspace Events API: the maximum number of calls per minute, for one user and for all users.

https://developers.google.com/workspace/events/guides/limits
"""

from collections import defaultdict, deque
from collections.abc import Callable
from datetime import datetime, timedelta

import grpc

from infra.local.faults import Refusal

MINUTE = timedelta(minutes=1)

PER_USER = 100
OVERALL = 600

_KINDS = {
    "CreateSubscription": "writes",
    "UpdateSubscription": "writes",
    "ReactivateSubscription": "writes",
    "DeleteSubscription": "writes",
    "GetSubscription": "reads",
    "ListSubscriptions": "reads",
}
"""The quota that each method counts towards. Methods that are not in this table do not count."""


class Quotas:
    """Counts calls by the clock; refused calls do not count. It is not thread-safe.

    Args:
        clock: The current time, as an aware datetime in UTC.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._users: defaultdict[tuple[str, str], deque[datetime]] = defaultdict(deque)
        self._everybody: defaultdict[str, deque[datetime]] = defaultdict(deque)

    def take(self, method: str, user: str) -> None:
        """Count a call, or raise Refusal if the quota is used up."""
        kind = _KINDS.get(method)
        if kind is None:
            return
        now = self._clock()
        counted = ((self._users[kind, user], PER_USER), (self._everybody[kind], OVERALL))
        for calls, limit in counted:
            while calls and calls[0] <= now - MINUTE:
                calls.popleft()
            if len(calls) >= limit:
                raise Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, f"Quota exceeded: {limit} {kind} per minute")
        for calls, _ in counted:
            calls.append(now)
