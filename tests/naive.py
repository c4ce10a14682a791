"""A second computation of attendance, only from the written rules: it cuts time at every moment that occurs.

Nothing changes between two neighbouring moments: it looks up who was there in each piece, and adds the pieces. It is
slow. It shares no computation with the code that it checks, only the types of the input.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatch
from itertools import pairwise

from functions.domain.classes.policy import Policy
from functions.domain.classes.roster import Assignment, Correction, Override, RoomDevice, RosterEntry
from functions.domain.classes.sessions import Person
from functions.domain.conferences.model import AnonymousUser, Conference, PhoneUser


@dataclass(frozen=True)
class Lesson:
    """A class in the room's timetable; `listed_at` is when the reading of Meet's list of the room's records began."""

    session_id: str
    start: datetime
    end: datetime
    teachers: tuple[str, ...] = ()
    roster: tuple[RosterEntry, ...] = ()
    policy: Policy = field(default_factory=Policy)
    attached: tuple[str, ...] = ()
    listed_at: datetime | None = None
    corrections: tuple[Correction, ...] = ()


@dataclass(frozen=True)
class World:
    """One room: its timetable, data from Meet, records that Meet only named (record, start, end), and the accounts."""

    lessons: tuple[Lesson, ...]
    conferences: tuple[Conference, ...]
    listed: tuple[tuple[str, datetime, datetime], ...]
    people: Mapping[str, Person]
    now: datetime
    settle: timedelta
    room_names: tuple[str, ...] = ()


def ids(session_id: str, key: str) -> str:
    return hashlib.sha256(f"{session_id}/{key}".encode()).hexdigest()[:20]


# --- Rules 2 and 3 --------------------------------------------------------------------------------------------


def shown_times(conference):
    record = conference.snapshot.record
    yield record.start_time
    for person in conference.snapshot.participants:
        yield person.earliest_start_time
        yield person.latest_end_time
        for visit in person.sessions:
            yield visit.start_time
            yield visit.end_time


def ended(conference):
    record, sync = conference.snapshot.record, conference.sync
    return record.end_time is not None or sync.ended_event_at is not None or sync.state == "complete"


def record_end(conference):
    record, sync = conference.snapshot.record, conference.sync
    if record.end_time is not None:
        return record.end_time
    if sync.state == "complete":
        return max(time for time in shown_times(conference) if time is not None)
    return max(record.start_time, sync.ended_event_at or sync.pulled_at)


def owned(world, lesson):
    """Return the owned time: two hours before and after the class, but at most half-way to any other class."""
    first, last = lesson.start - timedelta(hours=2), lesson.end + timedelta(hours=2)
    for other in world.lessons:
        if other.end <= lesson.start:
            first = max(first, other.end + (lesson.start - other.end) / 2)
        elif other.start >= lesson.end:
            last = min(last, lesson.end + (other.start - lesson.end) / 2)
    return first, last


def overlap(first, last, start, end):
    """Return whether [first, last) and [start, end) share a moment; an empty interval counts as its start."""
    if first >= last:
        return start <= first < end
    return max(first, start) < min(last, end)


def spans(world):
    """Return every record of the room whose time is known."""
    for conference in world.conferences:
        if conference.snapshot:
            yield conference.conference_record, conference.snapshot.record.start_time, record_end(conference)
    yield from world.listed


def belonging(world, lesson):
    """Return a class's records: by time unless a person attached them to another class, and those attached to it."""
    elsewhere = {record for other in world.lessons for record in other.attached if other is not lesson}
    own = owned(world, lesson)
    reach = (
        lesson.start - timedelta(minutes=lesson.policy.open_before_minutes),
        lesson.end + timedelta(minutes=lesson.policy.open_after_minutes),
    )
    found = set(lesson.attached)
    for record, first, last in spans(world):
        if record not in elsewhere and overlap(first, last, *own) and overlap(first, last, *reach):
            found.add(record)
    return found


def unscheduled(world):
    """Return records that belong to no class."""
    taken = {record for lesson in world.lessons for record in belonging(world, lesson)}
    return {c.conference_record for c in world.conferences if c.snapshot} - taken


# --- Rule 5 ---------------------------------------------------------------------------------------------------


def who_is(world, lesson, conference, person):
    """Return (key, role, is a room device, roster entry) of a participant.

    `lesson` is None for an unscheduled session.
    """
    session_id = lesson.session_id if lesson else conference.conference_record.split("/")[1]
    signed_in = not isinstance(person.user, AnonymousUser | PhoneUser)
    account = person.user.user if signed_in else None
    me = world.people.get(account) if account else None
    left = people_left(world, lesson) if lesson else None
    named = [*lesson.teachers, *(entry.email for entry in lesson.roster if entry.email)] if lesson else []
    meant = {address: holder(world, address, left, named) for address in named}
    known = sorted(me.addresses, key=lambda one: one.since) if me else []
    addresses = [one.email for one in known if meant.get(one.email) == account]
    primary = me.identity.email if me and me.identity else None
    addresses.sort(key=lambda address: (min(k.since for k in known if k.email == address), address != primary, address))
    own_key = account or person.name
    guest_id = ids(session_id, own_key)
    if lesson is None:
        teaches = account is not None and account == conference.organizer.user
        return own_key, "teacher" if teaches else "guest", is_device(world, me, person, named=False), None
    if set(addresses) & set(lesson.teachers):
        return own_key, "teacher", False, None
    students = expected(world, lesson)
    wanted = []
    for told in lesson.corrections:
        if isinstance(told, Assignment) and told.attendee_id == guest_id:
            wanted += [("student_id", told.student_id), ("email", told.email)]
    if me and me.student:
        wanted += [("student_id", me.student.student_id), ("email", me.student.email)]
    wanted += [("email", address) for address in addresses]
    wanted += [("user", account)]
    for attribute, value in wanted:
        for entry in students:
            if value and getattr(entry, attribute) == value:
                return entry.student_id or entry.email, "student", False, entry
    named = any(isinstance(told, RoomDevice) and told.attendee_id == guest_id for told in lesson.corrections)
    return own_key, "guest", is_device(world, me, person, named=named), None


def people_left(world, lesson):
    """Return the scheduled end, or the end of the last call if all calls ended earlier."""
    own = belonging(world, lesson)
    calls = [c for c in world.conferences if c.snapshot and c.conference_record in own]
    if calls and all(ended(call) for call in calls):
        return min(lesson.end, max(record_end(call) for call in calls))
    return lesson.end


def holder(world, address, moment, named):
    """Return who has an address: the first of its consecutive spans that reaches the moment decides.

    If the account of this span is named by another address that it still has, the next span decides.
    """
    spans = [(one, user) for user, me in world.people.items() for one in me.addresses if one.email == address]
    spans.sort(key=lambda span: (span[0].until is None, span[0].until or moment, -span[0].since.timestamp(), span[1]))
    reaching = []
    for span, user in spans:
        until = span.until + (span.lost_at - span.until) / 2 if span.until else None
        if until is None or until >= moment:
            reaching.append((span, user))
    reaching = [span for span in reaching if span[0].counts_from is None or span[0].counts_from < moment] and reaching
    if not reaching:
        return None
    (span, user), *later = reaching
    current = {one.email for one in world.people[user].addresses if one.until is None} - {address}
    if span.until and later and current & set(named):
        return later[0][1]
    return user


def expected(world, lesson):
    """Return the roster without teachers, who may be named by any of their addresses."""
    left = people_left(world, lesson)
    named = [*lesson.teachers, *(entry.email for entry in lesson.roster if entry.email)]
    teaching = {holder(world, address, left, named) for address in lesson.teachers} - {None}
    return [
        entry
        for entry in lesson.roster
        if entry.email not in lesson.teachers
        and (holder(world, entry.email, left, named) if entry.email else None) not in teaching
        and not (entry.user in teaching and not (entry.email and holder(world, entry.email, left, named)))
    ]


def is_device(world, me, person, *, named):
    if named:
        return True
    patterns = [pattern.lower() for pattern in world.room_names]
    return bool(me and me.unknown and any(fnmatch(person.user.display_name.lower(), p) for p in patterns))


# --- Rules 1, 4, 6, 7 -----------------------------------------------------------------------------------------


def visits_in(conference, own):
    """Return (participant, start, end, open) of every visit, cut to the record's own time and to the owned time."""
    low, high = conference.snapshot.record.start_time, record_end(conference)
    for person in conference.snapshot.participants:
        for visit in person.sessions:
            start, end = visit.start_time, visit.end_time
            if end is None:
                seen = person.latest_end_time
                end = seen if seen and seen > start else high
            end = max(start, end)
            if not overlap(start, end, low, high):
                continue
            start, end = max(start, low), min(end, high)
            if own and not overlap(start, end, *own):
                continue
            if own:
                start, end = max(start, own[0]), min(end, own[1])
            yield person, start, max(start, end), visit.end_time is None


def pieces(moments):
    ordered = sorted(set(moments))
    return list(pairwise(ordered))


def there(visits, piece):
    return any(start <= piece[0] and piece[1] <= end for start, end, *_ in visits)


def time_of(visits, grid, first, last):
    """Return how long a person was there between two moments of the grid."""
    return sum((b - a for a, b in grid if first <= a and b <= last and there(visits, (a, b))), timedelta(0))


def seconds(duration):
    return int(duration / timedelta(microseconds=1)) // 1_000_000


def result_of(world: World, lesson: Lesson) -> dict[str, object]:  # noqa: C901, PLR0912, PLR0915 - one reading of all rules
    """Return the essential fields of a scheduled session and of all attendance in it."""
    own = owned(world, lesson)
    records = belonging(world, lesson)
    known = [c for c in world.conferences if c.conference_record in records]
    unread = records - {c.conference_record for c in known}
    read = sorted((c for c in known if c.snapshot), key=lambda c: c.snapshot.record.start_time)

    visits: dict[str, list[tuple[datetime, datetime, bool, Conference]]] = {}
    facts: dict[str, tuple[str, bool]] = {}
    for conference in read:
        limits = None if conference.conference_record in lesson.attached else own
        for person, start, end, is_open in visits_in(conference, limits):
            key, role, device, _ = who_is(world, lesson, conference, person)
            visits.setdefault(key, []).append((start, end, is_open, conference))
            facts[key] = (role, device)
    students = {e.student_id or e.email: e for e in expected(world, lesson)}

    policy, start, end = lesson.policy, lesson.start, lesson.end
    teaching = [v for key, found in visits.items() if facts[key][0] == "teacher" for v in found]
    moments = [start, end, *own, *(m for found in visits.values() for v in found for m in v[:2])]
    taught = None
    if teaching:
        near = [(max(v[0], own[0]), min(v[1], own[1])) for v in teaching if v[0] < own[1] and v[1] > own[0]]
        near += [(v[0], v[1]) for v in teaching if v[0] == v[1] and own[0] <= v[0] < own[1]]
        if near:
            first, last = max(start, min(v[0] for v in near)), min(end, max(v[1] for v in near))
            taught = (first, last) if first < last else None
            moments += [first, last]
    grid = pieces(moments)

    held_for = together = together_taught = timedelta(0)
    people = [found for key, found in visits.items() if not facts[key][1]]
    for piece in grid:
        if start <= piece[0] and piece[1] <= end:
            at_once = sum(there(found, piece) for found in people)
            if there(teaching, piece) or at_once > 1:
                held_for += piece[1] - piece[0]
            if at_once > 1:
                together += piece[1] - piece[0]
                if taught and taught[0] <= piece[0] and piece[1] <= taught[1]:
                    together_taught += piece[1] - piece[0]
    # The teacher's time counts unless people were together longer outside it than within it.
    held = taught if together_taught >= together - together_taught else None

    complete = all(c.sync.state == "complete" for c in known) and not unread
    listed_at = lesson.listed_at
    if listed_at is not None and listed_at >= own[0] + timedelta(days=30):
        listed_at = None
    enough = held_for >= timedelta(minutes=policy.min_held_minutes) or held_for >= end - start
    decided = listed_at is not None and listed_at >= end + world.settle and complete
    going_on = any(not ended(c) for c in read)
    synced = bool(records) or listed_at is not None
    if decided and not enough:
        state = "not_held"
    elif going_on or (records and start - timedelta(minutes=policy.open_before_minutes) <= world.now < end):
        state = "live"
    elif world.now < end or not synced:
        state = "scheduled"
    else:
        state = "ended"

    searched = listed_at is not None and listed_at >= end
    failed = bool(unread) or any(c.sync.state == "failed" for c in known)
    starts = {name: first for name, first, _ in spans(world)}
    failing = [*unread, *(c.conference_record for c in known if c.sync.state == "failed")]
    began = [starts.get(name) for name in failing]
    first_reads = [c.sync.first_pulled_at for c in known if c.sync.state == "complete"]
    if failed and None not in began and any(moment <= min(began) for moment in first_reads):
        failed = False

    def measured(found, in_class, window):
        late = in_class[0][0] - window[0] > timedelta(minutes=policy.late_after_minutes)
        early = window[1] - in_class[-1][1] > timedelta(minutes=policy.left_early_minutes)
        if time_of(found, grid, *window) / (window[1] - window[0]) < policy.min_share:
            return "partial", late, early
        return "late" if late else "left_early" if early else "present", late, early

    # Records that are not final, with the earliest start and the end, each None if it is unknown. A record that began
    # after the class, when marks were already given, changes no mark.
    open_questions = {}
    for name in records:
        (conference,) = [c for c in known if c.conference_record == name] or [None]
        if conference and conference.sync.state == "complete":
            continue
        told = conference.snapshot.record if conference and conference.snapshot else None
        from_when = told.start_time if told else None if None in began else min(began)
        if from_when is None or from_when < end or not any(moment <= from_when for moment in first_reads):
            open_questions[name] = from_when, told.end_time if told else None

    def in_record(found, name):
        return [v for v in found if v[3].conference_record == name]

    def may_hide_more(found, in_class, status):
        """Return whether a mark may improve: a record that is not final may contain more time of the student."""
        for name, (from_when, until_when) in open_questions.items():
            if any(there(in_record(found, name), p) for p in in_class):
                continue
            if status == "absent":
                return True
            touches = (from_when is None or from_when < end) and (until_when is None or until_when > start)
            helps = {
                "partial": True,
                "late": from_when is None or from_when < in_class[0][0] if in_class else True,
                "left_early": until_when is None or until_when > in_class[-1][1] if in_class else True,
                "present": False,
            }
            if touches and helps[status]:
                return True
        return False

    def window_may_move(found, in_class, status):
        """Return whether the teacher's time, or the choice of it as the counted time, may still change the mark."""
        if status in ("present", "absent") or policy.window == "scheduled" or not open_questions:
            return False
        better = {"partial": ["late", "left_early", "present"], "late": ["present"], "left_early": ["present"]}[status]
        if any(measured(found, in_class, other)[0] in better for other in [(start, end), taught or (start, end)]):
            return True
        teachers = [found for key, found in visits.items() if facts[key][0] == "teacher"]
        leaves_open = unseen = False
        for name, (_, until_when) in open_questions.items():
            shown = [own for one in teachers if (own := in_record(one, name))]
            unseen = unseen or len(shown) < len(lesson.teachers)
            leaves_open = leaves_open or any(until_when is None or any(v[2] for v in own) for own in shown)
        if status == "late":
            return unseen and taught is None
        if status == "left_early":
            return leaves_open or (unseen and taught is None)
        return leaves_open or (unseen and taught != (start, end))

    def may_be_more_than_partial(found, window):
        """Return whether an unread call may improve a partial mark, if the student was in it all the time."""
        if searched:
            return False
        calls = [
            (c.snapshot.record.start_time, record_end(c)) for c in read if c.conference_record not in lesson.attached
        ]
        fine = pieces([start, end, *moments, *(m for call in calls for m in call)])
        inside = [p for p in fine if start <= p[0] and p[1] <= end]
        gaps = [p for p in inside if not any(a <= p[0] and p[1] <= b for a, b in calls)]
        if not gaps:
            return False  # while one call continued, there was no other
        best = [p for p in inside if there(found, p) or p in gaps]
        windows = [window, (start, end)] + ([taught] if taught and policy.window == "held" else [])
        for first, last in windows:
            time = sum((b - a for a, b in best if first <= a and b <= last), timedelta(0))
            if time / (last - first) >= policy.min_share:
                return True
        return False

    def marked(found):
        """Return (status, is_late, is_left_early) by rule 6."""
        if state == "not_held" or not policy.marks:
            return None, False, False
        unknown = "unknown", False, False
        if failed:
            return unknown
        for name, (_, until_when) in open_questions.items():
            mine = in_record(found, name)
            if mine and (until_when is None or any(v[2] for v in mine)):
                return unknown
        in_class = [p for p in grid if start <= p[0] and p[1] <= end and there(found, p)]
        window = held if held and policy.window == "held" else (start, end)
        status, late, early = measured(found, in_class, window) if in_class else ("absent", False, False)
        if status == "absent" and not (searched and enough):
            return unknown
        if world.now < end and status in ("absent", "partial", "left_early"):
            return unknown
        if may_hide_more(found, in_class, status) or window_may_move(found, in_class, status):
            return unknown
        if status == "partial" and may_be_more_than_partial(found, window):
            return unknown
        return status, late, early

    attendees = {}
    for key in {*visits, *students} if synced else ():
        found = visits.get(key, [])
        role, device = facts.get(key, ("student", False))
        status, late, early = marked(found) if key in students else (None, False, False)
        attendee_id = ids(lesson.session_id, key)
        mark = status
        for told in lesson.corrections:
            if isinstance(told, Override) and key in students and told.attendee_id == attendee_id:
                mark = told.mark.value
        attendees[attendee_id] = {
            "role": role,
            "room": device,
            "status": status,
            "mark": mark,
            "is_late": late,
            "is_left_early": early,
            **times_of(found, grid, start, end),
        }
    marks = [one["mark"] for one in attendees.values() if one["role"] == "student"]
    names = ("present", "late", "left_early", "partial", "absent", "excused", "unknown")
    return {
        "state": state,
        "owned": own,
        "conference_records": records,
        "held": held,
        "held_elsewhere": state == "not_held" and bool(people),
        "attendees": attendees,
        "counts": {
            **{name: marks.count(name) for name in names},
            "guests": sum(one["role"] == "guest" and not one["room"] for one in attendees.values()),
            "erased": 0,
        },
    }


def times_of(found, grid, start, end):
    return {
        "total": seconds(time_of(found, grid, *(grid[0][0], grid[-1][1]))) if grid else 0,
        "in_class": seconds(time_of(found, grid, start, end)),
        "first": min((v[0] for v in found), default=None),
        "last": max((v[1] for v in found), default=None),
        "count": len(found),
    }


def result_of_unscheduled(world: World, conference: Conference) -> dict[str, object]:
    """Return the same for a record that belongs to no class: it is a session by itself, without marks."""
    start, end = conference.snapshot.record.start_time, record_end(conference)
    session_id = conference.conference_record.split("/")[1]
    visits: dict[str, list] = {}
    facts = {}
    for person, first, last, is_open in visits_in(conference, None):
        key, role, device, _ = who_is(world, None, conference, person)
        visits.setdefault(key, []).append((first, last, is_open, conference))
        facts[key] = (role, device)
    grid = pieces([start, end, *(m for found in visits.values() for v in found for m in v[:2])])
    attendees = {
        ids(session_id, key): {
            "role": facts[key][0],
            "room": facts[key][1],
            "status": None,
            "mark": None,
            "is_late": False,
            "is_left_early": False,
            **times_of(found, grid, start, end),
        }
        for key, found in visits.items()
    }
    return {
        "state": "ended" if ended(conference) else "live",
        "owned": (start, end),
        "conference_records": {conference.conference_record},
        "attendees": attendees,
    }


def results(world: World) -> Mapping[str, Mapping[str, object]]:
    """Return the expected content of the documents, by session id."""
    found = {lesson.session_id: result_of(world, lesson) for lesson in world.lessons}
    loose: Sequence[Conference] = [c for c in world.conferences if c.conference_record in unscheduled(world)]
    return found | {c.conference_record.split("/")[1]: result_of_unscheduled(world, c) for c in loose}
