"""Look up tracked teachers and the subscription service."""

from __future__ import annotations

from functions.domain.classes.sessions import TrackedOrganizer
from functions.domain.errors import NotFound, OrganizerUnknown
from functions.ports.google import Subscriptions
from functions.services.deps import Deps


async def tracked_organizer(name: str, *, deps: Deps) -> TrackedOrganizer:
    """The tracked teacher of this name, `users/{id}` or an e-mail address; raises NotFound if not tracked."""
    if name.startswith("users/"):
        tracked = await deps.store.reader().organizer(name)
    else:
        tracked = await deps.store.organizer_with(name.lower())
    if tracked is None:
        raise NotFound("This teacher is not tracked.", hint="Enroll the teacher first: make enroll TEACHER=…")
    return tracked


def require_subscriptions(deps: Deps) -> Subscriptions:
    """The service for subscriptions; raises OrganizerUnknown if it is not in use."""
    if deps.subscriptions is None:
        raise OrganizerUnknown(
            "The Workspace Events API is not in use, so teachers cannot be tracked.",
            hint="Set WORKSPACE_EVENTS_API_ENDPOINT, or rely on the scheduled jobs: marks come after the class's end.",
        )
    return deps.subscriptions
