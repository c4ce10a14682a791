"""A school's day, made from a seed: classes, teachers and rooms, who came when, and what people decided."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from infra.local.school import Account, Attendee, Conference, ProfileAddress, School, Space, Visit

ROSTER = 6
"""Pupils in each class."""

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
OLD, NEW = "school.example", "new.example"
"""The school's domain before and after some accounts move to another domain."""

ALIASED, MOVED, GIVERS, TAKERS = range(8), range(8, 12), (12, 13), (14, 15)
"""Four groups of pupils: the old address becomes an alias, is lost, or goes to another pupil.

And the pupils who get it.
"""

RENAMED_TEACHER = 3
"""A teacher whose credentials and subscription do not fail."""

EVENING = "evening"
"""The class that is held and entered after the renaming."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A class that the LMS schedules with the link of a room.

    Attributes:
        entered_late: Whether it is only entered after accounts were renamed, with their new addresses.
    """

    external_id: str
    room: Space
    teacher: Account
    pupils: tuple[Account, ...]
    start: datetime
    length: timedelta
    entered_late: bool = False

    @property
    def end(self) -> datetime:
        """Return its planned end."""
        return self.start + self.length

    def request(self, address: Callable[[Account], str]) -> dict[str, object]:
        """Return the body of `POST /api/schedule/class`.

        `address` returns the address that the LMS uses for an account.
        """
        return {
            "external_id": self.external_id,
            "teacher_email": address(self.teacher),
            "students": [
                {"email": address(pupil), "student_id": pupil.user.removeprefix("users/")} for pupil in self.pupils
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
    """Everything that happens, independent of the system. Most of it happens before noon."""

    noon: datetime
    teachers: tuple[Account, ...]
    pupils: tuple[Account, ...]
    rooms: tuple[Space, ...]
    lessons: tuple[Lesson, ...]
    conferences: tuple[Conference, ...]
    decisions: tuple[Decision, ...]
    last_end: datetime = field(compare=False)
    strangers: tuple[Account, ...] = ()
    renamed: tuple[Account, ...] = ()
    """The accounts that are renamed in the middle of the day, with their later data."""
    given: Mapping[str, str] = field(default_factory=dict)
    """The address of another pupil that an account gets, by account; the evening class uses this address."""
    renamed_at: datetime | None = None
    morning: tuple[str, ...] = ()
    """Conferences that are recorded before the failures: after them, every account is known by its old address."""

    def into(self, school: School) -> None:
        """Add everything to a simulated school."""
        school.enrol(*self.teachers, *self.pupils, *self.strangers)
        for room in self.rooms:
            school.open(room)
        for conference in self.conferences:
            school.hold(conference)

    @property
    def lost(self) -> frozenset[str]:
        """Return the addresses that accounts lose in the middle of the day."""
        after = {account.user: {account.email, *account.aliases} for account in self.renamed}
        before = [account for account in (*self.teachers, *self.pupils) if account.user in after]
        return frozenset(account.email for account in before if account.email not in after[account.user])

    def rename(self, school: School) -> None:
        """Rename accounts: some keep the old address as an alias, some lose it, and some lose it to another pupil."""
        school.enrol(*self.renamed)

    def schedule(self, *, late: bool) -> tuple[Lesson, ...]:
        """Return the classes that are entered before the renaming, or after it."""
        return tuple(lesson for lesson in self.lessons if lesson.entered_late is late)

    def request(self, lesson: Lesson) -> dict[str, object]:
        """Return the body with which the LMS enters a class, with the addresses of that time."""
        accounts = [*self.teachers, *self.pupils, *(self.renamed if lesson.entered_late else ())]
        written = {account.user: account.email for account in accounts}
        written |= self.given if lesson.external_id == EVENING else {}
        return lesson.request(lambda account: _as_typed(written[account.user]))


def make_world(seed: int, *, now: datetime, conferences: int, seconds: float = 8.0) -> World:
    """Return a day with at least this many conferences: most are over, some end a few seconds from now.

    Args:
        seed: The same seed gives the same day.
        now: Noon, when the failures begin.
        conferences: The minimum number of conferences.
        seconds: How long the failures last; accounts are renamed during this time.
    """
    return _Maker(seed, now, seconds).world(conferences)


class _Maker:
    def __init__(self, seed: int, now: datetime, seconds: float) -> None:
        self._dice = random.Random(f"day {seed}")
        self._now = now
        self._renamed_at = now + SECOND * max(seconds * 0.4, 3.0)
        self._evening = self._renamed_at + SECOND * max(seconds * 0.2, 4.0)
        self._strangers: tuple[Account, ...] = ()
        self._numbers = iter(range(1, 1_000_000))

    def world(self, wanted: int) -> World:
        teachers = tuple(self._account("teacher", number) for number in range(max(6, wanted // 12)))
        pupils = (
            *(self._account("pupil", number) for number in range(ROSTER * 4)),
            *(self._private(number) for number in range(2)),
        )
        self._strangers = self._make_strangers(pupils)
        renamed, given = _renamed(teachers, pupils)
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
        dropped, called = self._dropped(teachers[0], _steady(pupils))
        evening, last = self._after_the_renaming(teachers[4], teachers[5], pupils)
        assembly = self._assembly(teachers[5], pupils)
        lessons += [dropped, *evening]
        held = [*(one for one in _apart(held) if one.start < self._now), *called, *last, assembly]
        rooms += [dropped.room, *(lesson.room for lesson in evening), _room(teachers[5], "assembly")]
        entered = [lesson for lesson in lessons if not lesson.entered_late]
        decided = self._dice.sample(entered, k=len(entered) // 4)
        return World(
            noon=self._now,
            teachers=teachers,
            pupils=pupils,
            rooms=tuple(rooms),
            lessons=tuple(lessons),
            conferences=tuple(held),
            decisions=tuple(self._decision(lesson) for lesson in decided),
            last_end=max([*(lesson.end for lesson in lessons), *(one.end for one in held if one.end)]),
            strangers=self._strangers,
            renamed=renamed,
            given=given,
            renamed_at=self._renamed_at,
            morning=(called[0].name, assembly.name),
        )

    def _private(self, number: int) -> Account:
        """Return a pupil with a private account, which is not the school's: the Directory answers 403 for it."""
        user = f"users/{1000 + next(self._numbers)}"
        return Account(user, f"private.pupil{number}@gmail.com", display_name=f"Private {number}", in_directory=False)

    def _make_strangers(self, pupils: Sequence[Account]) -> tuple[Account, ...]:
        """Make people from outside the school; two of them wrote a pupil's address into their profiles."""

        def stranger(number: int, *, verified: bool | None = None, in_people: bool = True) -> Account:
            written = () if verified is None else (ProfileAddress(pupils[20 + number].email, verified=verified),)
            return Account(
                f"users/{1000 + next(self._numbers)}",
                f"stranger{number}@elsewhere.example",
                display_name=f"Stranger {number}",
                in_directory=False,
                in_people=in_people,
                people_shows_address=verified is None,
                profile_addresses=written,
            )

        return (
            stranger(0, in_people=False),
            stranger(1),
            stranger(2, verified=False),
            stranger(3, verified=True),
        )

    def _dropped(self, teacher: Account, pupils: Sequence[Account]) -> tuple[Lesson, tuple[Conference, Conference]]:
        """Make a call that is interrupted and made again while the teacher's credentials are invalid.

        Some people only come to the second call.
        """
        room = _room(teacher, "dropped")
        end = self._now + SECOND * 4
        start, cut = end - MINUTE * 40, end - MINUTE * 12
        members = tuple(self._dice.sample(list(pupils), k=ROSTER))
        lesson = Lesson("dropped", room, teacher, members, start, end - start)
        early, late = members[:4], members[2:5]
        again = cut + MINUTE * 2
        calls = [
            self._ended(room, teacher, since, until, [_there(one, Visit(since, until)) for one in (*there, teacher)])
            for since, until, there in ((start, cut, early), (again, end, late))
        ]
        # A list of the room from before noon does not show the second call, so it cannot prove that anybody was absent.
        return lesson, (calls[0], dataclasses.replace(calls[1], appears=self._now + SECOND * 2))

    def _after_the_renaming(
        self, teacher: Account, other: Account, pupils: Sequence[Account]
    ) -> tuple[tuple[Lesson, Lesson], tuple[Conference, Conference]]:
        """Make two classes that are entered with the new addresses, and that end after accounts were renamed.

        One person is missing in each, and all others are in the room. So all accounts are looked up now.
        """
        end = self._evening
        start = end - MINUTE * 30
        changed = [pupils[number] for number in (*GIVERS, *TAKERS, *MOVED, *ALIASED[:3], len(pupils) - 1)]
        others = pupils[16 : 16 + ROSTER]
        lessons, calls = [], []
        for name, lead, members, missing in (
            (EVENING, teacher, changed, self._dice.sample(changed, k=3)),
            ("hall", other, others, self._dice.sample(list(others), k=1)),
        ):
            room = _room(lead, name)
            everybody = (*pupils, *self._strangers, lead)
            people = [_there(one, Visit(start, end)) for one in everybody if one not in missing]
            lessons.append(Lesson(name, room, lead, tuple(members), start, end - start, entered_late=True))
            calls.append(self._ended(room, lead, start, end, people))
        return (lessons[0], lessons[1]), (calls[0], calls[1])

    def _assembly(self, teacher: Account, pupils: Sequence[Account]) -> Conference:
        """Make a call before noon with everybody: so the address of every account at that time is known."""
        end = self._now - SECOND * 90
        people = [_there(one, Visit(end - MINUTE, end)) for one in (*pupils, *self._strangers, teacher)]
        return self._ended(_room(teacher, "assembly"), teacher, end - MINUTE, end, people)

    def _happens(self, chance: float) -> bool:
        return self._dice.random() < chance

    def _account(self, kind: str, number: int) -> Account:
        user = f"users/{1000 + next(self._numbers)}"
        return Account(user, f"{kind}{number}@school.example", display_name=f"{kind.title()} {number}")

    def _day(self, room: Space, teacher: Account, pupils: Sequence[Account]) -> Iterator[Lesson]:
        """Make consecutive lessons; the last one ends now or a few seconds later."""
        end = self._now + timedelta(seconds=self._dice.randrange(-30, 12))
        for number in range(self._dice.randrange(2, 6)):
            length = MINUTE * self._dice.choice((30, 40, 50))
            is_over = end < self._now - MINUTE * 3
            # A person who loses an address still has it at the end of each class, not only some seconds before.
            members = tuple(self._dice.sample(list(pupils if is_over else _steady(pupils)), k=ROSTER))
            late = is_over and self._happens(0.2)
            yield Lesson(f"{room.name}-{number}", room, teacher, members, end - length, length, entered_late=late)
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
            case 5 if end + MINUTE * 45 < self._now:  # left open until the next call in the room
                yield self._conference(lesson, start, end + MINUTE * 45)
            case 4:  # a short test call before the lesson
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
        if self._happens(0.4):
            people.append(_there(self._dice.choice(self._strangers), Visit(start, end)))
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
        settles = appears = None
        if end > self._now - MINUTE:  # Meet may need some seconds to show a call that has just ended
            settles = end + timedelta(seconds=self._dice.randrange(2, 7))
            people = [dataclasses.replace(p, visits=tuple(_settling(v, settles) for v in p.visits)) for p in people]
            if end >= self._now and self._happens(0.3):  # Meet may also show the record only later
                appears = end + SECOND * self._dice.randrange(1, 5)
        return Conference(
            name,
            room.name,
            room.meeting_code,
            teacher.user,
            start,
            end,
            tuple(people),
            settles=settles,
            appears=appears,
        )

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
                return _there(pupil, *visits)  # a bad connection: more sessions than one page contains
            case _:
                return _there(pupil, Visit(first, end))

    def _decision(self, lesson: Lesson) -> Decision:
        pupil = self._dice.choice(lesson.pupils)
        status = self._dice.choice(("excused", "present", "partial"))
        return Decision(lesson.external_id, pupil.user.removeprefix("users/"), status)


def _room(teacher: Account, name: str) -> Space:
    code = {"dropped": "bbb-dddd-ddd", "evening": "bbb-eeee-eee", "hall": "bbb-hhhh-hhh", "assembly": "bbb-aaaa-aaa"}[
        name
    ]
    return Space(f"spaces/{name}", code, owner=teacher.user)


def _steady(pupils: Sequence[Account]) -> Sequence[Account]:
    """Return the pupils who neither lose an address nor get another pupil's."""
    changing = {*MOVED, *GIVERS, *TAKERS}
    return [pupil for number, pupil in enumerate(pupils) if number not in changing]


def _renamed(teachers: Sequence[Account], pupils: Sequence[Account]) -> tuple[tuple[Account, ...], dict[str, str]]:
    """Return the renamed accounts with their later data, and, by account, the old address of another account."""

    def at_new(account: Account, *aliases: str) -> Account:
        return dataclasses.replace(account, email=account.email.replace(OLD, NEW), aliases=aliases)

    kept = [*(pupils[number] for number in ALIASED), teachers[RENAMED_TEACHER]]
    lost = [pupils[number] for number in (*MOVED, *GIVERS)]
    given = {pupils[taker].user: pupils[giver].email for giver, taker in zip(GIVERS, TAKERS, strict=True)}
    getting = [dataclasses.replace(pupils[taker], aliases=(given[pupils[taker].user],)) for taker in TAKERS]
    return (*(at_new(one, one.email) for one in kept), *map(at_new, lost), *getting), given


def _as_typed(email: str) -> str:
    """Return a private address as people write it: Gmail ignores the dot."""
    return email.replace(".", "", 1) if email.endswith("@gmail.com") else email


def _there(account: Account, *visits: Visit) -> Attendee:
    return Attendee(f"p{account.user.removeprefix('users/')}", "signed_in", account.display_name, account.user, visits)


def _settling(visit: Visit, settles: datetime) -> Visit:
    return dataclasses.replace(visit, settles=settles) if visit.end and visit.end > settles - MINUTE else visit


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + number // 26**place % 26) for place in (2, 1, 0))


def _apart(conferences: Sequence[Conference]) -> Iterator[Conference]:
    """Return the conferences, shortened so that a room has only one at a time, like in Meet.

    Very short remains are dropped.
    """
    by_room: dict[str, list[Conference]] = {}
    for conference in conferences:
        by_room.setdefault(conference.space, []).append(conference)
    for held in by_room.values():
        until: datetime | None = None
        for conference in sorted(held, key=lambda one: one.start):
            if until is None or conference.start >= until:
                yield conference
                until = conference.end
