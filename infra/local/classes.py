"""Realistic classes, made from a seed: who comes, with which devices, when they lose the connection, when they leave.

All people in them are invented. The same seed and arguments give the same class, to the microsecond.
"""

import random
import string
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from infra.local.school import Account, Attendee, Conference, Visit

# The first name and the family name of a person use the same script. Reports must work for every script.
_NAMES = (
    (
        ("Ayşe", "Björn", "Chloé", "Dušan", "Edna", "Łucja"),
        ("Gökçe", "Ångmo", "Moreau-Lys", "Wróbel", "Quill"),
    ),
    (("Мила", "Тихон", "Злата", "Юлий"), ("Лесная", "Громыхало", "Зоряна", "Щука")),
    (("Νεφέλη", "Ίων", "Δάφνη"), ("Θαλασσινός", "Ξηρός", "Φεγγάρης")),
    (("سلمى", "نور", "يزن"), ("البستاني", "القمري", "الريحاني")),
    (("小雨", "一诺", "思远"), ("林", "沈", "欧阳")),
    (("はるき", "さくら", "みなと"), ("やまかわ", "ほしの", "つきもり")),
    (("अनया", "ईशान", "मीरा"), ("चाँदनी", "वनवासी", "झरना")),
)
_GUESTS = ("Guest", "iPad von Oma", "mila's laptop", "???")
_URL_SAFE = string.ascii_letters + string.digits + "-_"

Visits = tuple[Visit, ...]


class _Lesson:
    """The times of one class. It makes the visits of each kind of attendee."""

    def __init__(self, dice: random.Random, start: datetime, length: timedelta) -> None:
        self._dice = dice
        self._start = start
        self._length = length
        self.end = start + length

    def teacher(self) -> Visits:
        """Open the room early and stay to the end, with a second screen in Companion mode."""
        companion = self._visit(self._at(0.05, 0.10), self._at(0.90, 0.95))
        return (self._visit(self._start - self._minutes(3, 6), self.end), companion)

    def steady(self) -> Visits:
        """Come on time and stay."""
        return (self._visit(self._on_time(), self.end),)

    def rejoining(self) -> Visits:
        """Lose the connection once or twice and come back."""
        joined, drops = self._on_time(), self._dice.randint(1, 2)
        visits = []
        for part in range(drops):
            dropped = self._at(0.3 + part * 0.3, 0.5 + part * 0.3)
            visits.append(self._visit(joined, dropped))
            joined = dropped + self._minutes(0.2, 3) * (self._length / timedelta(minutes=50))
        return (*visits, self._visit(joined, self.end))

    def two_devices(self) -> Visits:
        """Join with a phone on the way and continue with a laptop: both are in the conference for a while."""
        return (
            self._visit(self._on_time(), self._at(0.4, 0.7)),
            self._visit(self._at(0.1, 0.3), self.end),
        )

    def companion(self) -> Visits:
        """Attend, and use a second device in Companion mode to raise a hand or present."""
        second = self._visit(self._at(0.2, 0.4), self._at(0.6, 0.8))
        return (self._visit(self._on_time(), self.end), second)

    def late(self) -> Visits:
        """Come when a fifth of the class or more has passed."""
        return (self._visit(self._at(0.2, 0.5), self.end),)

    def early_leaver(self) -> Visits:
        """Leave before four fifths of the class are over."""
        return (self._visit(self._on_time(), self._at(0.5, 0.8)),)

    def _visit(self, start: datetime, end: datetime) -> Visit:
        return Visit(start, end, id=_opaque(self._dice, 24))

    def _on_time(self) -> datetime:
        return self._at(0.0, 0.06)

    def _at(self, earliest: float, latest: float) -> datetime:
        return self._start + self._length * self._dice.uniform(earliest, latest)

    def _minutes(self, least: float, most: float) -> timedelta:
        return timedelta(minutes=self._dice.uniform(least, most))


def believable_class(  # noqa: PLR0913  # each is something a scenario sets on its own
    seed: int,
    *,
    people: int = 30,
    start: datetime,
    length: timedelta = timedelta(minutes=50),
    organizer: str = "users/104729104729104729104",
    settled: bool = True,
    conference_id: str | None = None,
    space: str | None = None,
    meeting_code: str | None = None,
    pupils: Sequence[Account] = (),
    away: int = 1,
) -> Conference:
    """Make a class of this many people, including the teacher.

    The conference begins when the teacher joins, a few minutes before `start`, and ends exactly `length` after `start`.
    A class of eight people or more has every special kind: rejoins, two devices at once, Companion mode, a latecomer,
    an early leaver, an anonymous guest, a phone and a room device. Most others come on time and stay.

    `settled=False`: for about a sixth of the people, Meet shows the end only about a minute after the class, and it
    never shows the end of the room device. Give `space` and `meeting_code` to hold several classes in one room. With
    `pupils`, these accounts come, except for the last `away` of them.
    """
    dice = random.Random(seed)
    lesson = _Lesson(dice, start, length)
    record = conference_id or _opaque(dice, 42)
    room = space or f"spaces/{_opaque(dice, 12)}"
    code = meeting_code or "-".join(_letters(dice, size) for size in (3, 4, 3))
    attendees = [_attendee(dice, lesson, place, organizer) for place in range(people)]
    if pupils:
        attendees = _as_pupils(attendees, organizer, pupils[: len(pupils) - away])
    if not settled:
        attendees = [_unsettled(dice, lesson, place, one) for place, one in enumerate(attendees)]
    begun = min((visit.start for one in attendees for visit in one.visits), default=start)
    return Conference(record, room, code, organizer, begun, lesson.end, tuple(attendees))


def _as_pupils(attendees: Sequence[Attendee], organizer: str, pupils: Sequence[Account]) -> list[Attendee]:
    """Give these accounts to the signed-in attendees, in order. Attendees for whom no account is left stay away."""
    accounts = iter(pupils)
    there = []
    for place, attendee in enumerate(attendees):
        if attendee.user in {None, organizer} or place == _ROOM:
            there.append(attendee)
        elif account := next(accounts, None):
            there.append(replace(attendee, user=account.user, display_name=account.display_name))
    return there


_GUEST, _PHONE, _ROOM = 5, 6, 7  # the places of attendees without a pupil's account


def _attendee(dice: random.Random, lesson: _Lesson, place: int, organizer: str) -> Attendee:
    identity = _digits(dice)
    if place == _GUEST or (place > _ROOM and dice.random() < 0.02):  # noqa: PLR2004  # a guest in fifty
        return Attendee(identity, "anonymous", dice.choice(_GUESTS), visits=lesson.late())
    if place == _PHONE:
        number = f"+49 ••• ••• {dice.randint(0, 99):02}"
        return Attendee(identity, "phone", number, visits=lesson.early_leaver())
    if place == _ROOM:
        return Attendee(identity, "signed_in", "Room 2.14", f"users/{_digits(dice)}", lesson.steady())
    given, family = dice.choice(_NAMES)
    name = f"{dice.choice(given)} {dice.choice(family)}"
    user = organizer if place == 0 else f"users/{_digits(dice)}"
    return Attendee(identity, "signed_in", name, user, _habit(dice, lesson, place)())


def _habit(dice: random.Random, lesson: _Lesson, place: int) -> Callable[[], Visits]:
    """Choose how someone attends: each of the first few places gets one special kind."""
    special = (lesson.teacher, lesson.rejoining, lesson.two_devices, lesson.late, lesson.early_leaver)
    if place < len(special):
        return special[place]
    usual = (lesson.steady, *special[1:], lesson.companion)
    return dice.choices(usual, weights=(70, 10, 6, 6, 5, 3))[0]


def _unsettled(dice: random.Random, lesson: _Lesson, place: int, attendee: Attendee) -> Attendee:
    """Leave some ends open for attendees who stayed to the end: about a minute, or forever for the room device."""
    if place == _ROOM:
        return replace(attendee, visits=tuple(replace(visit, end=None) for visit in attendee.visits))
    if place % 6 != 2:  # noqa: PLR2004  # one in six, beginning with the third
        return attendee
    lag = lesson.end + timedelta(seconds=dice.uniform(20, 90))
    visits = (replace(one, settles=lag) if one.end == lesson.end else one for one in attendee.visits)
    return replace(attendee, visits=tuple(visits))


def _opaque(dice: random.Random, length: int) -> str:
    return "".join(dice.choices(_URL_SAFE, k=length))


def _letters(dice: random.Random, length: int) -> str:
    return "".join(dice.choices(string.ascii_lowercase, k=length))


def _digits(dice: random.Random) -> str:
    """Return 21 digits, like the ids of Google's users."""
    return f"1{dice.randrange(10**20):020}"
