"""Entity tags: whether a caller still sees what is stored.

https://www.rfc-editor.org/rfc/rfc9110#name-etag
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from functions.domain.errors import PreconditionFailed


def etag_of(updated_at: datetime) -> str:
    """The tag of a class meeting that was last changed at this moment, its attendance included; with its quotes."""
    moment = updated_at.astimezone(UTC).isoformat(timespec="microseconds")
    return f'"{hashlib.sha256(moment.encode()).hexdigest()[:16]}"'


def require_match(if_match: str | None, updated_at: datetime) -> None:
    """Refuse a change by somebody who saw something else; without a tag, or with `*`, everything passes.

    Raises:
        PreconditionFailed: None of the tags is the class meeting's.
    """
    if if_match is None:
        return
    tags = {tag.strip() for tag in if_match.split(",")}
    if "*" not in tags and etag_of(updated_at) not in tags:
        raise PreconditionFailed("The class meeting was changed after it was read.")
