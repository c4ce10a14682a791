"""The quotas of Google's APIs: the maximum number of calls per minute, for one user and for the whole project.

https://developers.google.com/workspace/events/guides/limits, https://developers.google.com/workspace/meet/api/guides/limits
"""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import grpc

from infra.local.faults import Refusal

MINUTE = timedelta(minutes=1)

PER_USER = 100
OVERALL = 600

SUBSCRIPTION_KINDS = {
    "CreateSubscription": "writes",
    "UpdateSubscription": "writes",
    "ReactivateSubscription": "writes",
    "DeleteSubscription": "writes",
    "GetSubscription": "reads",
    "ListSubscriptions": "reads",
}
"""The quota that each method of Workspace Events counts towards. Methods that are not in this table do not count."""

MEET_PER_USER = 600
MEET_OVERALL = 6000

MEET_KINDS = {
    "GetConferenceRecord": "reads",
    "ListConferenceRecords": "reads",
    "GetParticipant": "reads",
    "ListParticipants": "reads",
    "GetParticipantSession": "reads",
    "ListParticipantSessions": "reads",
    "GetSpace": "reads",
}
"""The same for the Meet API."""


class Quotas:
    """Counts calls by the clock; refused calls do not count. It is not thread-safe.

    Args:
        clock: The current time, as an aware datetime in UTC.
        kinds: What a method counts as.
        per_user: Calls of a kind in any minute for one user.
        overall: The same for the project.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        kinds: Mapping[str, str] = SUBSCRIPTION_KINDS,
        *,
        per_user: int = PER_USER,
        overall: int = OVERALL,
    ) -> None:
        self._clock = clock
        self._kinds = kinds
        self._limits = {" per user": per_user, "": overall}
        self._users: defaultdict[tuple[str, str], deque[datetime]] = defaultdict(deque)
        self._everybody: defaultdict[str, deque[datetime]] = defaultdict(deque)

    def take(self, method: str, user: str) -> None:
        """Count a call, or raise Refusal if the quota is used up."""
        kind = self._kinds.get(method)
        if kind is None:
            return
        now = self._clock()
        counted = {" per user": self._users[kind, user], "": self._everybody[kind]}
        for whose, calls in counted.items():
            while calls and calls[0] <= now - MINUTE:
                calls.popleft()
            if len(calls) >= self._limits[whose]:
                raise Refusal(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    f"Quota exceeded for quota metric '{kind}' and limit '{kind} per minute{whose}' of a service of "
                    f"Google's for consumer 'project_number:1'.",
                    "RATE_LIMIT_EXCEEDED",
                )
        for calls in counted.values():
            calls.append(now)


def meet_quotas(clock: Callable[[], datetime], *, per_user: int = MEET_PER_USER, overall: int = MEET_OVERALL) -> Quotas:
    """Meet's quotas."""
    return Quotas(clock, MEET_KINDS, per_user=per_user, overall=overall)
