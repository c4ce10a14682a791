"""Entity tags: whether what a caller read is still current.

https://www.rfc-editor.org/rfc/rfc9110#name-etag
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from functions.domain.errors import PreconditionFailed


def etag_of(updated_at: datetime) -> str:
    """The tag, with quotes, of a class meeting that was last changed (also in its attendance) at this moment."""
    moment = updated_at.astimezone(UTC).isoformat(timespec="microseconds")
    return f'"{hashlib.sha256(moment.encode()).hexdigest()[:16]}"'


def require_match(if_match: str | None, updated_at: datetime) -> None:
    """Refuse a change by a caller who read an older version; without a tag, or with `*`, every change passes.

    Raises:
        PreconditionFailed: None of the tags is that of the class meeting. A weak tag and a tag without quotes never
            are.
    """
    if if_match is None:
        return
    tags = {tag.strip() for tag in if_match.split(",")} - {""}
    if "*" in tags or etag_of(updated_at) in tags:
        return
    if any(tag.upper().startswith("W/") for tag in tags):
        raise PreconditionFailed("If-Match has a weak ETag (W/), but a change needs a strong ETag.", hint=_STRONG_TAG)
    if not all(len(tag) > 1 and tag[0] == tag[-1] == '"' for tag in tags):
        raise PreconditionFailed("The ETag in If-Match is not in double quotes.", hint=_QUOTED_TAG)
    raise PreconditionFailed("The class meeting was changed after it was read.")


_STRONG_TAG = (
    "Send the ETag of GET /api/sessions/{session_id}. Pages (format=html) have weak ETags, and a proxy may turn a "
    "strong ETag into a weak one."
)
_QUOTED_TAG = "Send the ETag as you got it, with its quotes."
