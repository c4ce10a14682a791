"""Messages to the functions: Google's samples and our own jobs, with random errors."""

from __future__ import annotations

import base64
import copy
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from cloudevents.http import from_http
from hypothesis import strategies as st

from tests.classroom import TEACHER
from tests.verdicts import COLLEAGUE, PUPIL

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.json"))
ENDED = json.loads((Path(__file__).parent / "samples" / "conference-ended.json").read_text())["envelope"]["message"]
ODD = [
    None, True, 0, -1, 1.5, float("nan"), float("inf"), 10**400, "", " ", "\0", "mine", "\ud800", "é", "🎓", "\u202e",
    "conferenceRecords/\uff4dine", "conferenceRecords/mine\n", "conferenceRecords/mine\0", "conferenceRecords/..",
    "conferenceRecords/__x__", "conferenceRecords/a.b~c", "conferenceRecords/mine/participants/p0",
    "conferencerecords/mine", "spaces/own", "spaces/..", "users/1", "users/2", "users/404", "users/__x__", "users/",
    "subscriptions/x", "__x__", "..", "nobody@elsewhere.example", "m\u00fcller@elsewhere.example",
    "a\0@elsewhere.example", "a\ud800@elsewhere.example", "a@b@c", "K\u212aLVIN@elsewhere.example",
    "//cloudidentity.googleapis.com/users/2", "//meet.googleapis.com/spaces/own", "yesterday",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59", "2026-02-30T00:00:00Z", "2026-11-23T10:00:00",
    "2026-11-23T10:00:00.123456789Z", [], {}, [[]], ["conferenceRecords/mine"], {"name": []},
    "google.workspace.meet.conference.v2.ended", "google.workspace.meet.conference.v3.ended", "sync-everything",
    "sync-due", "x" * 257, "conferenceRecords/" + "x" * 300,
]  # fmt: skip
HUGE = ["x" * 300_000, "🎓" * 100_000, ["x"] * 50_000, {str(number): number for number in range(10_000)}]
KEYS = [
    "name",
    "Name",
    "conferenceRecord",
    "participantSession",
    "organizer",
    "session_id",
    "space",
    "after",
    "handed_out_at",
]
KEYS += ["job", "ce-type", "ce-subject", "data", "message", "attributes", "", "\0", "\ud800", "é", "a.b", "$time"]


def envelope(attributes, payload):
    """Return a message whose data is not encoded yet."""
    return {"message": {"attributes": attributes, "data": payload, "messageId": "1"}, "subscription": "s"}


def encoded(seed):
    """Return the message as it is posted."""
    data = base64.b64encode(json.dumps(seed["message"]["data"]).encode()).decode()
    return json.dumps({**seed, "message": {**seed["message"], "data": data}}).encode()


def ended(record, user, *, at):
    """Return the event that a conference is over, from the subscription of its owner or of its space."""
    subject = f"//cloudidentity.googleapis.com/{user}" if user else "//meet.googleapis.com/spaces/own"
    attributes = {**ENDED["attributes"], "ce-subject": subject, "ce-time": at.isoformat()}
    return envelope(attributes, {"conferenceRecord": {"name": f"conferenceRecords/{record}"}})


def event_seeds(*, now, subscription):
    """Return all samples, and the events for the ends of the world's conferences; the data is not encoded yet.

    No event is so recent that Meet might not show its conference record yet.
    """
    at, seeds = now - timedelta(minutes=15), []
    for sample in SAMPLES:
        seed = json.loads(sample.read_text())["envelope"]
        if seed["message"]["data"] != "EVENT_DATA":
            seed["message"]["data"] = json.loads(base64.b64decode(seed["message"]["data"]))
        seeds.append(seed)
    seeds += [
        ended(record, user, at=at)
        for record, user in [
            ("mine", TEACHER),
            ("mine", PUPIL),
            ("mine", None),
            ("lesson", TEACHER),
            ("lesson", "users/404"),
            ("open", TEACHER),
            ("open", None),
            ("theirs", COLLEAGUE),
            ("theirs", TEACHER),
            ("old", TEACHER),
            ("never", TEACHER),
            ("never", None),
        ]
    ]
    reminder = {**ENDED["attributes"], "ce-type": "google.workspace.events.subscription.v1.expirationReminder"}
    return [*seeds, envelope(reminder, {"subscription": {"name": subscription}})]


def job_seeds(*, now, class_id, space):
    """Return every job, for everything in the world that it can be about."""
    soon = (now + timedelta(minutes=5)).isoformat()
    organizers = [{"organizer": name} for name in (TEACHER, "Teacher@school.example", "users/404")]
    going_on = [{}, {"after": TEACHER}, {"after": "users/0"}, {"after": f"{soon} spaces/a"}]
    sessions = [{"session_id": session_id} for session_id in (class_id, "mine", "nothing-of-ours")]
    conferences = [
        {"conference_record": f"conferenceRecords/{record}", **who}
        for record, who in [
            ("mine", organizers[0]),
            ("mine", {}),
            ("lesson", organizers[1]),
            ("open", organizers[0]),
            ("theirs", {"organizer": "colleague@school.example"}),
            ("theirs", organizers[2]),
            ("old", organizers[0]),
            ("never", {"organizer": "somebody@elsewhere.example"}),
            ("never", {}),
        ]
    ]
    spaces = [{"space": space}, {"space": "spaces/none"}]
    jobs: dict[str, list[Any]] = {
        "sync-conference": conferences * 2,
        "sync-session": sessions,
        "remark-session": sessions,
        "sync-due": [{}],
        "reconcile": [*organizers[1:], *spaces, *going_on],
        "renew-subscriptions": [*organizers, *going_on],
    }
    return [envelope({"job": job}, data) for job, variants in jobs.items() for data in variants]


ODD_VALUES = st.sampled_from(ODD * 12 + HUGE).map(copy.deepcopy)
PLACES = st.integers(0, 10**6)
LEVELS = ["payload", "payload", "payload bytes", "data"] + ["envelope"] * 4 + ["body"]
CHANGES = st.sampled_from([[level] for level in LEVELS] + [[]]) | st.lists(st.sampled_from(LEVELS), max_size=3)
TREE_CHANGES = st.sampled_from(["drop", "rename", "odd", "odd", "odd", "wrap", "list", "number", "add", "add", "deep"])
BYTE_CHANGES = st.sampled_from(["flip", "flip", "cut", "insert", "utf-16", "utf-32", "bom", "twice", "nest", "replace"])
TEXT_CHANGES = st.sampled_from(["cut", "flip", "urlsafe", "unpadded", "lines", "unicode", "lower", "twice"])


@st.composite
def bodies(draw, seeds):
    """Return a posted body: a seed with up to three errors, anywhere from the event's data to the request's body."""
    seed = copy.deepcopy(draw(st.sampled_from(seeds)))
    changes = draw(CHANGES)
    message, payload = seed["message"], seed["message"]["data"]
    for _ in range(changes.count("payload")):
        payload = _changed_tree(draw, payload)
    raw = payload.encode() if payload == "EVENT_DATA" else _dumped(draw, payload)
    for _ in range(changes.count("payload bytes")):
        raw = _changed_bytes(draw, raw)
    message["data"] = base64.b64encode(raw).decode()
    for _ in range(changes.count("data")):
        message["data"] = _changed_text(draw, message["data"])
    for _ in range(changes.count("envelope")):
        seed = _changed_tree(draw, seed)
    body = _dumped(draw, seed)
    for _ in range(changes.count("body")):
        body = _changed_bytes(draw, body)
    return body


def _dumped(draw, tree):
    """Return JSON, sometimes with a repeated key."""
    text = json.dumps(tree)
    if isinstance(tree, dict) and tree and draw(PLACES) % 10 == 0:
        key = json.dumps(list(tree)[draw(PLACES) % len(tree)])
        other = json.dumps(draw(ODD_VALUES))
        first = draw(st.booleans())
        text = f"{{{key}: {other}, {text[1:]}" if first else f"{text[:-1]}, {key}: {other}}}"
    return text.encode()


def _changed_tree(draw, tree):
    places = list(_places(tree))
    if not places:
        return draw(ODD_VALUES)
    holder, key = places[draw(PLACES) % len(places)]
    value, keys = holder[key], st.sampled_from(KEYS)
    match draw(TREE_CHANGES):
        case "drop":
            del holder[key]
        case "rename" if isinstance(holder, dict):
            holder[draw(keys)] = holder.pop(key)
        case "wrap":
            holder[key] = {draw(keys): value}
        case "list":
            holder[key] = [value]
        case "number":
            holder[key] = len(str(value))
        case "add" if isinstance(holder, dict):
            holder[draw(keys)] = draw(ODD_VALUES)
        case "deep":
            for _ in range(draw(st.sampled_from([1, 30, 300]))):
                holder[key] = [holder[key]]
        case _:
            holder[key] = draw(ODD_VALUES)
    return tree


def _places(tree):
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        yield tree, key
        yield from _places(tree[key])


def _changed_bytes(draw, raw):
    place = draw(PLACES) % (len(raw) + 1)
    match draw(BYTE_CHANGES):
        case "flip" if place < len(raw):
            return raw[:place] + bytes([raw[place] ^ 1 << draw(PLACES) % 8]) + raw[place + 1 :]
        case "insert":
            return (
                raw[:place]
                + draw(st.sampled_from([b"\0", b"\xff", b"\xed\xa0\x80", b"{", b'"', b"9" * 5000]))
                + raw[place:]
            )
        case "utf-16" | "utf-32" as encoding:
            return raw.decode(errors="replace").encode(encoding)
        case "bom":
            return b"\xef\xbb\xbf" + raw
        case "twice":
            return raw + raw
        case "nest":
            depth = draw(st.sampled_from([1, 100, 5_000, 100_000]))
            return b"[" * depth + raw + b"]" * depth
        case "replace":
            return draw(st.binary(max_size=20) | st.sampled_from([b"", b"null", b"[]", b"{}", b"7", b'"x"', b"NaN"]))
        case _:
            return raw[:place]


def _changed_text(draw, text):
    place = draw(PLACES) % (len(text) + 1)
    match draw(TEXT_CHANGES):
        case "flip":
            return text[:place] + draw(st.sampled_from("Aa9+/=-_ \n%\0é")) + text[place + 1 :]
        case "urlsafe":
            return text.replace("+", "-").replace("/", "_")
        case "unpadded":
            return text.rstrip("=")
        case "lines":
            return text[:place] + "\n" + text[place:]
        case "unicode":
            return text + "\uff1d"
        case "lower":
            return text.lower()
        case "twice":
            return text + text
        case _:
            return text[:place]


HEADERS = {
    "ce-specversion": "1.0",
    "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
    "ce-source": "//pubsub.googleapis.com/projects/p/topics/t",
    "ce-id": "1096434104173400",
    "content-type": "application/json",
}


def received(raw):
    """Return the CloudEvent that the functions framework makes from a request; None if it answers 400 itself."""
    try:
        return from_http(HEADERS, raw)
    except Exception:  # noqa: BLE001 - as the framework does
        return None
