"""The paths of the documents of each resource."""

from __future__ import annotations

CHECK_PATH = "checks/sessions"
"""The document of the last check of conferences whose sessions are known from events."""


def conference_path(conference_record: str) -> str:
    """The document of a conference record, which may be given as its resource name."""
    return f"conferences/{conference_record.removeprefix('conferenceRecords/')}"


def seen_path(conference_record: str) -> str:
    """The collection of what joined and left events said about a conference."""
    return f"{conference_path(conference_record)}/seen"


def session_path(session_id: str) -> str:
    """The document of a class meeting."""
    return f"sessions/{session_id}"


def attendance_path(session_id: str) -> str:
    """The collection of everybody's attendance in a class meeting."""
    return f"{session_path(session_id)}/attendance"


def copy_path(session_id: str) -> str:
    """The collection of the parts of a copy of this attendance, numbered from 1."""
    return f"{session_path(session_id)}/sheet"


def corrections_path(session_id: str) -> str:
    """The collection of what people decided about a class meeting."""
    return f"{session_path(session_id)}/corrections"


def room_path(space: str) -> str:
    """The document of a room."""
    return f"spaces/{space.removeprefix('spaces/')}"


def person_path(user: str) -> str:
    """The document of a Google account."""
    return f"people/{user.removeprefix('users/')}"


def organizer_path(user: str) -> str:
    """The document of a teacher who is tracked."""
    return f"organizers/{user.removeprefix('users/')}"


def register_path(key: str) -> str:
    """The document of a class's register of a month."""
    return f"registers/{key}"


def answered_path(key: str) -> str:
    """The document of a request that was answered."""
    return f"idempotency/{key}"


def live_path(session_id: str) -> str:
    """The document about who is in a class meeting's room now."""
    return f"live/{session_id}"
