"""Which field was meant by an unknown field in a request."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Sequence

from pydantic import BaseModel

_OTHER_WORDS = {
    "course_id": ("class_id",),
    "cursor": ("page_token",),
    "course": ("class_id",),
    "group_id": ("class_id",),
    "duration": ("duration_minutes",),
    "emails": ("student_emails",),
    "end_time": ("duration_minutes",),
    "id": ("student_id", "external_id"),
    "limit": ("page_size",),
    "mark": ("status",),
    "name": ("display_name", "subject"),
    "offset": ("page_token",),
    "page": ("page_token",),
    "participants": ("students",),
    "per_page": ("page_size",),
    "roster": ("students",),
    "rrule": ("recurrence",),
    "since": ("from",),
    "start": ("start_time", "from"),
    "students_emails": ("student_emails",),
    "teacher": ("teacher_email",),
    "timezone": ("time_zone",),
    "title": ("subject",),
    "until": ("to",),
    "user_id": ("user",),
}
"""Words that people may use, with our words for them."""


def meant(path: Sequence[str | int], model: object) -> str | None:
    """The field that is most similar to the last part of a path, if one is similar.

    Args:
        path: The path of the unknown field, beginning with the body or the query.
        model: The model of the body or the query.
    """
    *outer, name = path
    for part in outer:
        model = _field(model, str(part)) if isinstance(part, str) else model
    known = _names(model)
    own = str(name).lower().replace("-", "_")
    found = [one for one in _OTHER_WORDS.get(own, ()) if one in known]
    found += [one for one in known if one.startswith(f"{own}_")]
    return next(iter(found or difflib.get_close_matches(own, known, n=1, cutoff=0.75)), None)


def _field(model: object, name: str) -> object:
    """The type of a field in any model that is part of a type."""
    for one in _models(model):
        for field, info in one.model_fields.items():
            if name in {field, info.alias}:
                return info.annotation
    return None


def _names(model: object) -> list[str]:
    return [info.alias or name for one in _models(model) for name, info in one.model_fields.items()]


def _models(kind: object) -> list[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    return [model for part in typing.get_args(kind) for model in _models(part)]
