"""Which accounts calls may use: the only place where that is decided.

Domain-wide delegation would let this system act as anybody in the school, so the code restricts itself: to teachers who
are enrolled, to those in ALLOWED_TEACHERS, and, as far as an administrator enrols them, to those in ALLOWED_DOMAINS.
"""

from __future__ import annotations

import contextlib
import dataclasses

from functions.domain.classes.sessions import Caller, CallerRole, TrackedOrganizer
from functions.domain.conferences.model import IdentitySource, Organizer, SyncError
from functions.domain.errors import CredentialsRefused, DomainNotAllowed, Retryable, TeacherNotAllowed
from functions.domain.marking.addresses import mailbox, mailboxes
from functions.ports.clock import Clock
from functions.ports.store import AttendanceStore, Work
from functions.services.deps import Deps, Rules


async def require_allowed(email: str, *, caller: Caller, deps: Deps) -> TrackedOrganizer | None:
    """Make sure that this caller may make calls as this teacher.

    Returns:
        The teacher as tracked; None for one who is not yet.

    Raises:
        DomainNotAllowed: This is not allowed.
    """
    tracked = await deps.store.organizer_with(email)
    by_admin = caller.role is CallerRole.ADMIN
    if deps.rules.anyone or _is_allowed(email, enrolled=tracked is not None, by_admin=by_admin, rules=deps.rules):
        return tracked
    raise DomainNotAllowed("This system may not act for this teacher.")


async def permitted(organizer: Organizer, *, reads_meetings: bool, store: AttendanceStore, rules: Rules) -> Organizer:
    """Make sure that calls as this teacher are allowed now; checked before every token.

    Args:
        organizer: The teacher, by account or by address.
        reads_meetings: Whether the calls read meetings. A message can lead to them that no caller answers for, so
            that of a domain's people only those are allowed who hold classes here; a caller who was no administrator
            was refused before any class was stored. Other calls are made for a caller who was checked.
        store: Who is enrolled, and who holds classes.
        rules: Who else is allowed.

    Returns:
        The teacher with account and address, as far as they are known: of one who is enrolled the primary address that
        the Directory told last, because others may be nobody's by now, or somebody else's.

    Raises:
        TeacherNotAllowed: The teacher is not enrolled, or not any more, and nothing else allows it.
    """
    tracked = await _tracked(organizer, store)
    if tracked:
        return Organizer(tracked.user, await _primary_address(tracked.user, store) or tracked.email)
    email = organizer.email or ""
    if _is_allowed(email, enrolled=False, by_admin=not reads_meetings, rules=rules):
        return organizer
    if _is_allowed(email, enrolled=False, by_admin=True, rules=rules) and await store.has_classes(email):
        return organizer
    raise TeacherNotAllowed("This system may not act for this teacher.")


async def note_refusal(
    organizer: Organizer, error: CredentialsRefused, *, store: AttendanceStore, clock: Clock
) -> None:
    """Store with a tracked teacher what to do when Google refuses a token; other teachers are ignored.

    The mark goes when the teacher's subscription can be looked after again.
    """
    user = organizer.user
    if user is None:
        return

    async def decide(work: Work) -> None:
        tracked = await work.organizer(user)
        known = tracked and tracked.error and (tracked.error.reason, tracked.error.hint)
        if tracked and known != (error.reason, error.hint):
            work.put_organizer(dataclasses.replace(tracked, error=SyncError.of(error, at=clock())))

    with contextlib.suppress(Retryable):  # it is found again when the subscription is looked after
        await store.transact(decide)


async def _tracked(organizer: Organizer, store: AttendanceStore) -> TrackedOrganizer | None:
    user = organizer.user
    if user is None:
        return await store.organizer_with(organizer.email) if organizer.email else None
    return await store.reader().organizer(user)


async def _primary_address(user: str, store: AttendanceStore) -> str | None:
    """An account's address as the school's Directory told it; what People and reports tell may be another one."""
    person = (await store.reader().people([user])).get(user)
    identity = person.identity if person else None
    return identity.email if identity and identity.source is IdentitySource.DIRECTORY else None


def _is_allowed(email: str, *, enrolled: bool, by_admin: bool, rules: Rules) -> bool:
    in_domain = email.rpartition("@")[2] in rules.allowed_domains
    return enrolled or mailbox(email) in mailboxes(rules.allowed_teachers) or (by_admin and in_domain)
