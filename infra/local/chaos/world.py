"""A school's day, made of a seed: who teaches what in which room, who came when, and what people decided about it."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from infra.local.school import Account, Attendee, Conference, School, Space, Visit

ROSTER = 6
"""Pupils in each class."""

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A class that the LMS schedules with the link of a room."""

    external_id: str
    room: Space
    teacher: Account
    pupils: tuple[Account, ...]
    start: datetime
    length: timedelta

    @property
    def end(self) -> datetime:
        """When it is to end."""
        return self.start + self.length

    def request(self) -> dict[str, object]:
        """The body of `POST /api/schedule/class`."""
        return {
            "external_id": self.external_id,
            "teacher_email": self.teacher.email,
            "students": [
                {"email": pupil.email, "student_id": pupil.user.removeprefix("users/")} for pupil in self.pupils
            ],
            "subject": "Mathematics",
            "class_id": f"class-{self.teacher.user.removeprefix('users/')}",
            "meeting_code": self.room.meeting_code,
            "start_time": self.start.isoformat(),
            "duration_minutes": self.length // MINUTE,
        }


@dataclass(frozen=True, slots=True)
class Decision:
    """A mark that somebody sets by hand."""

    external_id: str
    student_id: str
    status: str


@dataclass(frozen=True, slots=True)
class World:
    """All that happens, whatever the system makes of it; most of it before noon."""

    noon: datetime
    teachers: tuple[Account, ...]
    pupils: tuple[Account, ...]
    rooms: tuple[Space, ...]
    lessons: tuple[Lesson, ...]
    conferences: tuple[Conference, ...]
    decisions: tuple[Decision, ...]
    last_end: datetime = field(compare=False)

    def into(self, school: School) -> None:
        """Let it happen in a simulated school."""
        school.enrol(*self.teachers, *self.pupils)
        for room in self.rooms:
            school.open(room)
        for conference in self.conferences:
            school.hold(conference)


def make_world(seed: int, *, now: datetime, conferences: int) -> World:
    """A day with at least so many conferences, most of them over, some that end within seconds from now."""
    return _Maker(seed, now).world(conferences)


class _Maker:
    def __init__(self, seed: int, now: datetime) -> None:
        self._dice = random.Random(f"day {seed}")
        self._now = now
        self._numbers = iter(range(1, 1_000_000))

    def world(self, wanted: int) -> World:
        teachers = tuple(self._account("teacher", number) for number in range(max(6, wanted // 12)))
        pupils = tuple(self._account("pupil", number) for number in range(ROSTER * 4))
        rooms: list[Space] = []
        lessons: list[Lesson] = []
        held: list[Conference] = []
        while len(held) < wanted:
            teacher = teachers[len(rooms) % len(teachers)]
            room = Space(f"spaces/room{len(rooms)}", f"aaa-bbbb-{_letters(len(rooms))}", owner=teacher.user)
            rooms.append(room)
            if len(rooms) % 3 == 0:  # a room without a timetable
                held += list(self._unscheduled(room, teacher, pupils))
                continue
            day = list(self._day(room, teacher, pupils))
            lessons += day
            for lesson in day:
                held += list(self._held(lesson))
        held = [one for one in _apart(held) if one.start < self._now]
        decided = self._dice.sample(lessons, k=len(lessons) // 4)
        return World(
            noon=self._now,
            teachers=teachers,
            pupils=pupils,
            rooms=tuple(rooms),
            lessons=tuple(lessons),
            conferences=tuple(held),
            decisions=tuple(self._decision(lesson) for lesson in decided),
            last_end=max([*(lesson.end for lesson in lessons), *(one.end for one in held if one.end)]),
        )

    def _happens(self, chance: float) -> bool:
        return self._dice.random() < chance

    def _account(self, kind: str, number: int) -> Account:
        user = f"users/{1000 + next(self._numbers)}"
        return Account(user, f"{kind}{number}@school.example", display_name=f"{kind.title()} {number}")

    def _day(self, room: Space, teacher: Account, pupils: Sequence[Account]) -> Iterator[Lesson]:
        """Lessons one after the other, the last of which ends now or a few seconds later."""
        end = self._now + timedelta(seconds=self._dice.randrange(-30, 12))
        for number in range(self._dice.randrange(2, 6)):
            length = MINUTE * self._dice.choice((30, 40, 50))
            members = tuple(self._dice.sample(list(pupils), k=ROSTER))
            yield Lesson(f"{room.name}-{number}", room, teacher, members, end - length, length)
            end -= length + MINUTE * self._dice.choice((0, 0, 5, 20, 90))

    def _held(self, lesson: Lesson) -> Iterator[Conference]:
        start, end = lesson.start, lesson.end
        match self._dice.randrange(10):
            case 0:
                return  # nobody came
            case 1:  # the call dropped and was made again
                cut = start + (end - start) * self._dice.uniform(0.3, 0.7)
                yield self._conference(lesson, start - MINUTE, cut, also=True)
                yield self._conference(lesson, cut + MINUTE * 2, end, also=True)
            case 2:  # the teacher ended it two minutes early
                yield self._conference(lesson, start - MINUTE * 3, end - MINUTE * 2)
            case 3:  # without a teacher
                yield self._conference(lesson, start, end, teacher=False)
            case 5 if end + MINUTE * 45 < self._now:  # left open into whatever comes next in the room
                yield self._conference(lesson, start, end + MINUTE * 45)
            case 4:  # a short test before the lesson, in a call of its own
                yield self._conference(lesson, start - MINUTE * 6, start - MINUTE * 4, teacher=False)
                yield self._conference(lesson, start - MINUTE, end)
            case _:
                yield self._conference(lesson, start - MINUTE * self._dice.uniform(0, 4), end)

    def _conference(
        self, lesson: Lesson, start: datetime, end: datetime, *, teacher: bool = True, also: bool = False
    ) -> Conference:
        people = [self._attendee(pupil, start, end) for pupil in lesson.pupils if also or self._happens(0.85)]
        if teacher:
            people.append(_there(lesson.teacher, Visit(start, end)))
        if self._happens(0.5):
            people.append(Attendee(f"g{next(self._numbers)}", "anonymous", "Somebody", None, (Visit(start, end),)))
        return self._ended(lesson.room, lesson.teacher, start, end, people)

    def _unscheduled(self, room: Space, teacher: Account, pupils: Sequence[Account]) -> Iterator[Conference]:
        end = self._now + timedelta(seconds=self._dice.randrange(-2, 12))
        for _ in range(self._dice.randrange(1, 4)):
            start = end - MINUTE * self._dice.randrange(10, 60)
            some = self._dice.sample(list(pupils), k=self._dice.randrange(1, ROSTER))
            people = [self._attendee(pupil, start, end) for pupil in some]
            yield self._ended(room, teacher, start, end, [*people, _there(teacher, Visit(start, end))])
            end = start - MINUTE * self._dice.randrange(5, 30)

    def _ended(
        self, room: Space, teacher: Account, start: datetime, end: datetime, people: Sequence[Attendee]
    ) -> Conference:
        name = f"rec{next(self._numbers)}"
        settles = None
        if end > self._now - MINUTE:  # Meet may take some seconds to show what is only just over
            settles = end + timedelta(seconds=self._dice.randrange(2, 7))
            people = [dataclasses.replace(p, visits=tuple(_settling(v, settles) for v in p.visits)) for p in people]
        return Conference(name, room.name, room.meeting_code, teacher.user, start, end, tuple(people), settles=settles)

    def _attendee(self, pupil: Account, start: datetime, end: datetime) -> Attendee:
        def at(share: float) -> datetime:
            return start + (end - start) * share

        first = at(self._dice.choice((0.0, 0.0, 0.02, 0.3)))
        match self._dice.randrange(8):
            case 0:
                return _there(pupil, Visit(first, at(0.4)))  # left early
            case 1:
                return _there(pupil, Visit(first, at(0.5)), Visit(at(0.55), end))  # came again
            case 2:
                return _there(pupil, Visit(first, at(0.9)), Visit(at(0.35), end))  # on two devices
            case 3:
                visits = tuple(Visit(at(0.4 + n / 20), at(0.42 + n / 20)) for n in range(5))
                return _there(pupil, *visits)  # a bad connection: more sessions than one page holds
            case _:
                return _there(pupil, Visit(first, end))

    def _decision(self, lesson: Lesson) -> Decision:
        pupil = self._dice.choice(lesson.pupils)
        status = self._dice.choice(("excused", "present", "partial"))
        return Decision(lesson.external_id, pupil.user.removeprefix("users/"), status)


def _there(account: Account, *visits: Visit) -> Attendee:
    return Attendee(f"p{account.user.removeprefix('users/')}", "signed_in", account.display_name, account.user, visits)


def _settling(visit: Visit, settles: datetime) -> Visit:
    return dataclasses.replace(visit, settles=settles) if visit.end and visit.end > settles - MINUTE else visit


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + number // 26**place % 26) for place in (2, 1, 0))


def _apart(conferences: Sequence[Conference]) -> Iterator[Conference]:
    """The conferences cut so that a room has one at a time, as Meet has it; what is left of one a moment goes."""
    by_room: dict[str, list[Conference]] = {}
    for conference in conferences:
        by_room.setdefault(conference.space, []).append(conference)
    for held in by_room.values():
        until: datetime | None = None
        for conference in sorted(held, key=lambda one: one.start):
            if until is None or conference.start >= until:
                yield conference
                until = conference.end
