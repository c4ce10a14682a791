"""Class meetings of an invented school. Tests, measurements and pictures use their pages.

Days, people and their actions are always the same; ids differ each time.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from infra.local.month import (
    FIRST_DAY,
    LAST_DAY,
    LENGTH,
    ZONE,
    Minutes,
    Month,
    names,
    signed_in,
    the_teacher,
    visits,
)
from infra.local.school import Account, Attendee

CLASS_ID, FULL_CLASS_ID, LARGE_CLASS_ID, HOSTILE_CLASS_ID = "7b", "5a", "assembly", "7x"

HOSTILE_NAMES = (
    "鑫" * 200,
    "👩‍👩‍👧‍👦" * 28,
    "<script>document.title='run'</script>",
    "<img src=//elsewhere.example/x onerror=document.title='run'>",
    "\u202egnirts\u202c نور القمري\u200f",
    '=HYPERLINK("https://elsewhere.example","x")',
    "</title></style><style>*{display:none}</style>",
    "W" * 200,
    "=1+1",
    "+1",
    "-1",
    "@SUM(1)",
    "\t=1",
    "  =1+1",
    '"; =1+1,"',
    "\uff1d1+1",
    "Heap" + "\u0301\u0316" * 90,
    "\u3164",
)
"""Names that pupils may type: wide, long, high, bidirectional, invisible, or with code for a machine."""

_CANCELLED, _NOT_HELD, _LAST = 4, 5, 9


@dataclass(frozen=True, slots=True)
class Showcase:
    """The class meetings that have pages, by their session ids.

    Attributes:
        store: The value of ATTENDANCE_STORE for a function that reads this store.
        report: A meeting that shows many different marks; it is the last meeting of its class in the month.
        large: A meeting of 500 people.
        hostile: A meeting of people with the names in `HOSTILE_NAMES`.
        earlier: The other meetings of the class of `report`, the oldest first.
        full: The meetings of a class that meets twice on every school day: 40 in the month.
    """

    store: str
    report: str
    large: str
    hostile: str
    earlier: tuple[str, ...]
    full: tuple[str, ...]


async def hold_showcase(folder: Path) -> Showcase:
    """Schedule, hold and correct the classes. Their documents are stored in an embedded store in the folder."""
    store = f"sqlite:///{folder / 'attendance.db'}"
    async with Month.opened(attendance_store=store) as month:
        *earlier, report = await _hold_class(month)
        full = await hold_full_class(month, FULL_CLASS_ID, month.enrol(names(8), first_id=5000))
        return Showcase(
            store,
            report=report,
            large=await _hold_large_class(month),
            hostile=await _hold_hostile_class(month),
            earlier=tuple(earlier),
            full=tuple(full),
        )


def classes_of(showcase: Showcase) -> dict[str, list[str]]:
    """Return the session ids of each class, as an LMS stores them."""
    return {
        CLASS_ID: [*showcase.earlier, showcase.report],
        FULL_CLASS_ID: [*showcase.full],
        LARGE_CLASS_ID: [showcase.large],
        HOSTILE_CLASS_ID: [showcase.hostile],
    }


async def _hold_class(month: Month) -> list[str]:
    """Hold Mathematics on three days a week: one meeting is cancelled, one is not held, the last one has many marks."""
    pupils = month.enrol(names(30), first_id=7000)
    rule = "FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=10"
    made = await month.schedule("Mathematics", CLASS_ID, pupils, FIRST_DAY, recurrence=rule, time_zone=ZONE.key)
    sessions = [str(one["session_id"]) for one in made["sessions"]]
    await month.call("DELETE", f"/api/schedule/class/{sessions[_CANCELLED]}")
    for number, one in enumerate(made["sessions"]):
        day = datetime.fromisoformat(one["start_time"]).astimezone(ZONE).date()
        if number == _NOT_HELD:
            await month.hold(made, day, [signed_in(pupils[0], (0, 3))])
        elif number == _LAST:
            await month.hold(made, day, _a_little_of_everything(pupils))
        elif number != _CANCELLED:
            await month.hold(made, day, month.ordinary(pupils))
    marks = [
        {"email": pupils[4].email, "status": "present", "reason": "The bus was late, as the driver confirms"},
        {"email": pupils[21].email, "status": "excused", "reason": "At the dentist, note from home"},
    ]
    path = f"/api/sessions/{sessions[_LAST]}/overrides"
    await month.call("PUT", path, overrides=marks, by="Martin Scholz, office")
    return [session for number, session in enumerate(sessions) if number != _CANCELLED]


async def hold_full_class(month: Month, class_id: str, pupils: Sequence[Account]) -> list[str]:
    """Hold two ordinary lessons on each of 20 school days; return their session ids."""
    sessions = []
    for hour in (9, 11):
        rule = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;COUNT=20"
        made = await month.schedule(
            "Mathematics", class_id, pupils, FIRST_DAY, hour=hour, recurrence=rule, time_zone=ZONE.key
        )
        for one in made["sessions"]:
            day = datetime.fromisoformat(one["start_time"]).astimezone(ZONE).date()
            await month.hold(made, day, month.ordinary(pupils), hour=hour)
            sessions.append(str(one["session_id"]))
    return sessions


async def _hold_large_class(month: Month) -> str:
    """Hold a class of 500 people."""
    pupils = month.enrol(names(495), first_id=8000)
    made = await month.schedule("School assembly", LARGE_CLASS_ID, pupils, LAST_DAY)
    guests = [_guest(number, f"Visitor {number}", (number, LENGTH)) for number in range(1, 5)]
    await month.hold(made, LAST_DAY, [*month.ordinary(pupils), *guests])
    return str(made["session_id"])


async def _hold_hostile_class(month: Month) -> str:
    """Hold a class of people whose names try to break the pages."""
    pupils = month.enrol(HOSTILE_NAMES, first_id=9000)
    made = await month.schedule(HOSTILE_NAMES[3], HOSTILE_CLASS_ID, pupils, LAST_DAY)
    guests = [_guest(number, name, (2, 40)) for number, name in enumerate(HOSTILE_NAMES)]
    await month.hold(made, LAST_DAY, [*month.ordinary(pupils), *guests])
    session = str(made["session_id"])
    marks = [{"email": pupils[2].email, "status": "excused", "reason": HOSTILE_NAMES[3]}]
    await month.call("PUT", f"/api/sessions/{session}/overrides", overrides=marks, by=HOSTILE_NAMES[2])
    return session


def _a_little_of_everything(pupils: Sequence[Account]) -> list[Attendee]:
    special: dict[int, tuple[Minutes, ...]] = {
        1: ((12.8, 45),),  # late
        2: ((-1, 11.5), (13, 28), (29.2, 45)),  # lost the connection twice
        4: ((7.4, 45),),  # late
        5: ((0.3, 31.6),),  # left early
        7: ((-2, 20), (8, 45)),  # on a phone first, then with a laptop
        11: ((-1, 45), (5, 40), (12, 30)),  # with three devices
        18: (),  # came as a guest
        20: ((0, 9), (38, 45)),  # away for most of it
        21: (),  # excused
        24: (),  # absent
        26: ((-1.5, None),),  # Meet never reported the end
    }
    dice = random.Random(23)
    there = [
        signed_in(pupil, *coming)
        for number, pupil in enumerate(pupils)
        if (coming := special.get(number, ((dice.uniform(-3, 1.5), LENGTH - dice.choice((0, 0, 0, 0.4))),)))
    ]
    return [
        the_teacher((1.6, LENGTH), (6, 41)),
        *there,
        _guest(1, pupils[18].display_name, (0.8, LENGTH)),
        Attendee("phone", "phone", "+49 ••• ••• 42", None, visits((3.1, 22), (22.4, LENGTH))),
        Attendee("room", "signed_in", "Room 2.14", "users/999", visits((-2, LENGTH))),
    ]


def _guest(number: int, name: str, *coming: Minutes) -> Attendee:
    return Attendee(f"guest-{number}", "anonymous", name, None, visits(*coming))
