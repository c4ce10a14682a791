"""The life of Workspace Events subscriptions: start, renewal, suspension, reactivation, end, and lifecycle events.

Everything depends only on the clock: changes that are due are made when a caller looks. It is not thread-safe.
https://developers.google.com/workspace/events/guides/events-lifecycle
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from google.apps import events_subscriptions_v1 as events

from infra.local.workspace_events import Message, lifecycle_event, rfc3339

REMINDERS = (timedelta(hours=12), timedelta(hours=1))
"""How long before the end Google sends a reminder."""

TARGET = re.compile(r"//cloudidentity\.googleapis\.com/(?P<user>users/[^/\"]+)")

Subscription = Any  # protobuf makes its classes at run time, so the type checker does not know them

_State = events.Subscription.State

_REASONS: dict[str, int] = {
    **{word.name: word.number for word in events.Subscription.pb().DESCRIPTOR.enum_types_by_name["ErrorType"].values},
    # The reference names these reasons, but the released client has no numbers for them. Any unknown number works.
    "APP_SCOPE_REVOKED": 101,
    "APP_AUTHORIZATION_FAILURE": 102,
}


@dataclass
class Life:
    """A living subscription: `owner` made it, it ends at `end` unless it is renewed, and `reminders` are still due."""

    subscription: Subscription
    owner: str | None
    end: datetime
    reminders: list[datetime] = field(default_factory=list)
    user: str = field(init=False)

    def __post_init__(self) -> None:
        self.user = _user(self.subscription)

    @property
    def name(self) -> str:
        """Return its name, `subscriptions/{id}`."""
        return str(self.subscription.name)

    @property
    def is_suspended(self) -> bool:
        """Return whether it is suspended, so that it reports nothing about its target."""
        return bool(self.subscription.state == _State.SUSPENDED)


@dataclass(frozen=True)
class _Cause:
    """The cause that stops a user's events; `is_told` says whether lifecycle events still arrive."""

    reason: str
    is_told: bool


class Lives:
    """All subscriptions for a school's users, at most one for each user.

    Args:
        clock: The current time, as an aware datetime in UTC.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lives: dict[str, Life] = {}
        self._causes: dict[str, _Cause] = {}
        self._told: list[tuple[datetime, Message]] = []
        self._begun = 0
        self._changes = 0
        self._looked_at: datetime | None = None

    def alive(self) -> list[Life]:
        """Return the living subscriptions; a subscription that ended is deleted permanently."""
        now = self._clock()
        if now == self._looked_at:  # a test's clock shows the same time for thousands of calls
            return list(self._lives.values())
        self._looked_at = now
        for life in list(self._lives.values()):
            for reminder in [moment for moment in life.reminders if moment <= now]:
                life.reminders.remove(reminder)
                self._tell(life, "expirationReminder", reminder, expire_time=rfc3339(life.end))
            if life.end <= now:
                del self._lives[life.name]
                self._tell(life, "expired", life.end, expire_time=rfc3339(life.end))
        return list(self._lives.values())

    def named(self, name: str) -> Life | None:
        """Return the living subscription with this name, if there is one."""
        self.alive()
        return self._lives.get(name)

    def of(self, user: str) -> Life | None:
        """Return the living subscription about this user (`users/{id}`), if there is one."""
        return next((life for life in self.alive() if life.user == user), None)

    def begin(self, subscription: Subscription, *, owner: str | None, end: datetime) -> Life:
        """Start a new, active subscription, with a name that was never used."""
        self._begun += 1
        subscription.name = f"subscriptions/meet-users-{self._begun}"
        subscription.uid = str(self._begun)
        subscription.state = _State.ACTIVE
        subscription.authority = owner or ""
        subscription.create_time = self._clock()
        self.touch(subscription)
        life = Life(subscription, owner, end)
        self.renew(life, end=end)
        self._lives[life.name] = life
        return life

    def touch(self, subscription: Subscription) -> None:
        """Record a change: the subscription gets a new etag."""
        self._changes += 1
        subscription.etag = f"etag-{self._changes}"
        subscription.update_time = self._clock()

    def about(self, target: str, *, owner: str | None) -> Life | None:
        """Return the living subscription to this target that this user made, if there is one."""
        of_target = (life for life in self.alive() if life.subscription.target_resource == target)
        return next((life for life in of_target if owner is None or life.owner == owner), None)

    def renew(self, life: Life, *, end: datetime) -> None:
        """Move its end and cancel the remaining reminders of the old end."""
        self.alive()
        now = self._clock()
        life.subscription.expire_time = life.end = end
        life.reminders = [end - before for before in REMINDERS if end - before > now]

    def remove(self, life: Life) -> None:
        """End it without a lifecycle event."""
        del self._lives[life.name]

    def suspend(self, user: str, reason: str, *, is_told: bool) -> None:
        """Suspend the user's subscription, for a cause that persists until it is fixed."""
        life = self._lives_of(user)
        number = _REASONS[reason]
        self._causes[user] = _Cause(reason, is_told)
        life.subscription.state = _State.SUSPENDED
        events.Subscription.pb(life.subscription).suspension_reason = number
        self._tell(life, "suspended", self._clock(), suspension_reason=reason)

    def fix(self, user: str) -> None:
        """Remove the cause; a suspended subscription stays suspended until it is reactivated."""
        self.alive()
        self._causes.pop(user, None)

    def has_cause(self, subscription: Subscription) -> bool:
        """Return whether there is a cause that stops a subscription to this target."""
        return _user(subscription) in self._causes

    def reactivate(self, life: Life) -> None:
        """Make it report events again; its end does not change."""
        life.subscription.state = _State.ACTIVE
        life.subscription.suspension_reason = events.Subscription.ErrorType.ERROR_TYPE_UNSPECIFIED

    def expire(self, user: str) -> None:
        """End the user's subscription now."""
        life = self._lives_of(user)
        life.reminders.clear()
        life.subscription.expire_time = life.end = self._clock()
        self._looked_at = None
        self.alive()

    def told(self) -> list[Message]:
        """Return the lifecycle events since the last call, in order of time."""
        self.alive()
        told = [message for _, message in sorted(self._told, key=lambda one: one[0])]
        self._told.clear()
        return told

    def _lives_of(self, user: str) -> Life:
        life = self.of(user)
        if life is None:
            raise LookupError(f"There is no subscription about {user}")
        return life

    def _tell(self, life: Life, kind: str, at: datetime, **about: str) -> None:
        cause = self._causes.get(_user(life.subscription))
        if cause is None or cause.is_told:
            self._told.append((at, lifecycle_event(kind, life.name, at=at, **about)))


def _user(subscription: Subscription) -> str:
    target = TARGET.fullmatch(subscription.target_resource)
    return target["user"] if target else ""
