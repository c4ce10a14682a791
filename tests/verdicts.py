"""The expected result of a message, computed in a simple way from only the message; it shares nothing with the code.

The world is defined in `tests/integration/test_any_message.py`.
"""

from __future__ import annotations

import base64
import json
import string
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.classroom import PUPILS, TEACHER

COLLEAGUE, PUPIL = "users/2", PUPILS[0].user
ADDRESSES = {"teacher@school.example": TEACHER, "colleague@school.example": COLLEAGUE}
ADMITTED = {
    "mine": {TEACHER, PUPIL},
    "lesson": {TEACHER, PUPIL},
    "open": {TEACHER, PUPIL},
    "theirs": {COLLEAGUE},
}
"""The users who may read each conference that Meet knows, by its id. Meet does not know `old` and `never`."""
TEACHERS_OWN = {"mine": "complete", "lesson": "complete", "open": "stored"}


@dataclass(frozen=True)
class Verdict:
    """The answer to a message, and what is stored afterwards.

    `stands` are the conferences that must be stored, each with its state; those in `may` can be stored. A message with
    `asks_meet` waits for Meet's answer.
    """

    answer: str
    stands: dict[str, str]
    may: frozenset[str] = frozenset()
    asks_meet: bool = False
    is_kept: bool = False
    """Whether what it says is stored, with no conference that it would belong to."""


NOTHING = Verdict("done", {})
KEPT = Verdict("done", {}, is_kept=True)
PARKED = Verdict("parked", {})
RESOURCES = {
    "google.workspace.meet.conference.v2.started": ("conferenceRecord", "conferenceRecords/*"),
    "google.workspace.meet.conference.v2.ended": ("conferenceRecord", "conferenceRecords/*"),
    "google.workspace.meet.participant.v2.joined": (
        "participantSession",
        "conferenceRecords/*/participants/*/participantSessions/*",
    ),
    "google.workspace.meet.participant.v2.left": (
        "participantSession",
        "conferenceRecords/*/participants/*/participantSessions/*",
    ),
    "google.workspace.events.subscription.v1.suspended": ("subscription", "subscriptions/*"),
    "google.workspace.events.subscription.v1.expirationReminder": ("subscription", "subscriptions/*"),
    "google.workspace.events.subscription.v1.expired": ("subscription", "subscriptions/*"),
}
ARTIFACTS = {"recording": "recordings", "transcript": "transcripts", "smartNote": "smartNotes"}


def verdict(function, body, *, class_id):
    """Return the result of a message to one of the functions.

    `class_id` is the class meeting that `lesson` belongs to.
    """
    try:
        message = dict(body)["message"]
        attributes = dict(message.items())["attributes"]
        attributes.items()
    except (TypeError, ValueError, KeyError, AttributeError):
        return PARKED
    try:
        payload = json.loads(base64.b64decode(message["data"].encode("ascii"), validate=True))
    except Exception:  # noqa: BLE001 - whatever keeps it from being read
        payload = None
    if function == "events":
        return _event_verdict(attributes, payload)
    return _job_verdict(attributes.get("job"), payload if isinstance(payload, dict) else {}, class_id)


def _event_verdict(attributes, payload):
    kind = attributes.get("ce-type")
    if not isinstance(kind, str) or not kind:
        return PARKED
    resource, shape = RESOURCES.get(kind, (None, None))
    for artifact, collection in ARTIFACTS.items():
        if kind.rpartition(".")[0] == f"google.workspace.meet.{artifact}.v2":
            resource, shape = artifact, f"conferenceRecords/*/{collection}/*"
    if resource is None:
        return NOTHING
    try:
        name = payload[resource]["name"]
    except (TypeError, KeyError, IndexError):
        return PARKED
    if not _has_shape(name, shape):
        return PARKED
    if kind.startswith("google.workspace.events."):
        return Verdict("done", {}, may=frozenset(TEACHERS_OWN))
    if resource == "conferenceRecord" and not _is_usable(name.split("/")[1]):
        return PARKED
    if resource == "participantSession":
        _, record, _, participant, _, session = name.split("/")
        no_key = participant.startswith("__") and session.endswith("__")
        return KEPT if _is_usable(record) and not no_key else NOTHING
    if not kind.endswith("conference.v2.ended"):
        return NOTHING
    subject = attributes.get("ce-subject")
    target = "//cloudidentity.googleapis.com/"
    user = subject.removeprefix(target) if isinstance(subject, str) and subject.startswith(target) else ""
    return _reading(name.split("/")[1], user if _is_named(user, "users/*") else None)


def _job_verdict(job, data, class_id):
    match job:
        case "sync-conference":
            return _sync_conference(data.get("conference_record"), data.get("organizer"))
        case "sync-session" | "remark-session":
            if job == "sync-session" and not (data.get("handed_out_at") is None or _is_time(data["handed_out_at"])):
                return PARKED
            return _about_session(job, data.get("session_id"), class_id)
        case "sync-due":
            return Verdict("done", {"lesson": "told"}, may=frozenset(TEACHERS_OWN), asks_meet=True)
        case "reconcile" if "space" in data:
            return NOTHING if _is_named(data["space"], "spaces/*") else PARKED
        case "reconcile" | "renew-subscriptions":
            return _about_organizers(job, data)
        case _:
            return PARKED


def _sync_conference(record, organizer):
    if not _is_named(record, "conferenceRecords/*") or not _is_organizer(organizer):
        return PARKED
    return _reading(record.split("/")[1], organizer and _account(organizer))


def _about_session(job, session_id, class_id):
    if not _is_named(session_id, "*"):
        return PARKED
    if job == "remark-session":
        return NOTHING
    if session_id == class_id:
        return Verdict("done", {"lesson": "told"}, asks_meet=True)
    return Verdict("done", {}, may=frozenset({session_id}))


def _about_organizers(job, data):
    who = data.get("organizer")
    if not _is_organizer(who) or (who is None and not _goes_on({**data, "job": job})):
        return PARKED
    if job == "renew-subscriptions":
        return Verdict("done", {}, may=frozenset(TEACHERS_OWN))
    after = data.get("after", "")
    concerns_teacher = " " not in after and after < TEACHER if who is None else _account(who) == TEACHER
    return Verdict("done", TEACHERS_OWN, asks_meet=True) if concerns_teacher else NOTHING


def _reading(record, user):
    """Return the result for a conference that is read as this user."""
    if user is None:
        answer = "either" if record == "open" else "done"
        return Verdict(answer, {record: "stored"}, may=frozenset(TEACHERS_OWN))
    if record not in ADMITTED:
        return Verdict("parked", {}, asks_meet=True)
    # A conference of the class also leads to a look at the class's room, which belongs to the teacher.
    others = frozenset(TEACHERS_OWN) if record == "lesson" else frozenset()
    if user not in ADMITTED[record]:
        return Verdict("done", {record: "told"}, may=others, asks_meet=True)
    if record == "open":
        return Verdict("again", {record: "provisional"}, asks_meet=True)
    return Verdict("done", {record: "complete"}, may=others, asks_meet=True)


def _account(organizer):
    return organizer if organizer.startswith("users/") else ADDRESSES.get(organizer.lower(), "nobody")


def _is_organizer(name):
    if name is None or _is_named(name, "users/*"):
        return True
    if not isinstance(name, str) or name.count("@") != 1:
        return False
    printable = set(string.ascii_letters + string.digits + string.punctuation) - {"/"}
    return all(0 < len(part) <= 128 and set(part) <= printable for part in name.split("@"))


def _goes_on(data):
    """Return whether a job about everybody has a valid place to continue.

    It continues after a teacher, or after a room that was due at a time.
    """
    after = data.get("after", "")
    if not isinstance(after, str) or not after.isascii():  # no account or room is written otherwise
        return False
    due_at, parted, space = after.partition(" ")
    return not parted or data["job"] != "reconcile" or (_is_time(due_at) and space.startswith("spaces/"))


def _is_time(text):
    try:
        moment = datetime.fromisoformat(text)
        return moment.tzinfo is not None and moment.astimezone(UTC) is not None
    except (ValueError, TypeError, OverflowError):
        return False


def _is_named(name, shape):
    return _has_shape(name, shape) and _is_usable(name.split("/")[-1])


def _has_shape(name, shape):
    if not isinstance(name, str) or name.count("/") != shape.count("/"):
        return False
    letters = set(string.ascii_letters + string.digits + "._~-")
    return all(
        (0 < len(part) <= 256 and set(part) <= letters) if wanted == "*" else part == wanted
        for part, wanted in zip(name.split("/"), shape.split("/"), strict=True)
    )


def _is_usable(name):
    return name not in {".", ".."} and not (len(name) >= 4 and name.startswith("__") and name.endswith("__"))
