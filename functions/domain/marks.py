"""Marks: what a student gets for a class meeting, each with its reason.

Exact times are compared: exactly at a limit is not late, not early and not a part. A mark that missing data could
still change against the student is not given: it is `unknown` until the data is complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from functions.domain.intervals import Interval, covered, union
from functions.domain.policy import Policy
from functions.domain.roster import Mark
from functions.domain.sessions import Presence, Verdict

_UNDECIDED = "Not decided yet"


@dataclass(frozen=True, slots=True)
class Hearing:
    """All that every student's mark of one class meeting depends on.

    Attributes:
        scheduled: From when to when the class was to be.
        held: From when to when a teacher was there, within that; None without a teacher.
        policy: The class's rules.
        time_zone: Where its clock times are told, an IANA name.
        now: The time of the computation.
        unread: Whether a record could not be read, and none was read for good before: nothing can be said of anybody.
        unsettled: Records that belong to the class and are not complete.
        endless: Records that belong to the class and whose end Meet does not tell.
        searched: Whether Meet's list of records, made after the class's end, was seen to its last page.
        held_long_enough: Whether the class was held for as long as the policy demands.
        everybody_known: Whether every account that was in the class could be looked up.
        reported: Whether one of its calls is known from Google's reports alone, whose rows may come late or never.
    """

    scheduled: Interval
    held: Interval | None
    policy: Policy
    time_zone: str
    now: datetime
    unread: bool
    unsettled: frozenset[str]
    endless: frozenset[str]
    searched: bool
    held_long_enough: bool
    everybody_known: bool = True
    reported: bool = False

    @property
    def window(self) -> Interval:
        """The time that a student should have been there."""
        return self.held if self.held and self.policy.window == "held" else self.scheduled


def verdict(presences: Sequence[Presence], hearing: Hearing) -> Verdict:
    """A student's mark by the rules, never `excused`, which only people decide.

    Args:
        presences: The student's time, within what the class meeting owns.
        hearing: What there is to know of the class.
    """
    if not hearing.policy.marks:
        return Verdict()
    if hearing.unread:
        return Verdict(Mark.UNKNOWN, f"{_UNDECIDED}: a meeting of this class could not be read from Google Meet.")
    found = _by_the_data(presences, hearing)
    doubt = _doubt(found.status, presences, hearing)
    return Verdict(Mark.UNKNOWN, f"{_UNDECIDED}: {doubt}") if doubt else found


def _by_the_data(presences: Sequence[Presence], hearing: Hearing) -> Verdict:
    """The mark if the data is all there is."""
    inside = union(clipped for p in presences if (clipped := p.interval.clip(hearing.scheduled)))
    if not inside:
        span = _span(hearing.scheduled, hearing)
        if any(presence.interval.length for presence in presences):
            return Verdict(Mark.ABSENT, f"Was in the meeting only outside the time of the class, {span}.")
        return Verdict(Mark.ABSENT, f"Was not in the meeting during the class, {span}.")
    window, policy = hearing.window, hearing.policy
    there = covered(clipped for p in presences if (clipped := p.interval.clip(window)))
    share = there / window.length
    late_by, early_by = inside[0].start - window.start, window.end - inside[-1].end
    is_late, is_left_early = late_by > policy.late_after, early_by > policy.left_early
    if share < policy.min_share:
        needed = f"{policy.min_share * 100:.4g}"
        decimals = len(needed.partition(".")[2])
        reason = (
            f"Was there for {_length(there)} of {_whole(hearing)} "
            f"({_percent(there, window.length, decimals)} %); at least {needed} % is needed."
        )
        return Verdict(Mark.PARTIAL, reason, is_late, is_left_early)
    if is_late:
        reason = f"Joined {_more(late_by, policy.late_after)} after {_beginning(hearing)}; {_limit(policy.late_after)}."
        return Verdict(Mark.LATE, reason, is_late, is_left_early)
    if is_left_early:
        reason = f"Left {_more(early_by, policy.left_early)} before {_ending(hearing)}; {_limit(policy.left_early)}."
        return Verdict(Mark.LEFT_EARLY, reason, is_late, is_left_early)
    return Verdict(Mark.PRESENT, f"Was there for {_percent(there, window.length)} % of {_whole(hearing)}.")


def _doubt(status: Mark | None, presences: Sequence[Presence], hearing: Hearing) -> str | None:
    """Why a mark cannot be given yet; None if it can."""
    unfavourable = status in {Mark.ABSENT, Mark.PARTIAL, Mark.LEFT_EARLY}
    if hearing.now < hearing.scheduled.end and unfavourable:
        return f"the class goes on until {_clock(hearing.scheduled.end, hearing)}."
    if hearing.unsettled:
        if status is Mark.ABSENT:
            return "Google Meet's data of this class is not final."
        if any(presence.open for presence in presences):
            return "Google Meet does not say when this person left."
        if any(presence.conference_record in hearing.endless for presence in presences):
            return "Google Meet does not say when the meeting ended."
    if status is Mark.ABSENT and hearing.reported:
        return "the class is known from Google's reports, in which people may be missing."
    if status is Mark.ABSENT and not hearing.searched:
        return "Google Meet was not asked since the class for all of its meetings."
    if status is Mark.ABSENT and not hearing.held_long_enough:
        return "it is not certain that the class was held."
    if status is Mark.ABSENT and not hearing.everybody_known:
        return "somebody was in the class whose account could not be looked up."
    return None


def _beginning(hearing: Hearing) -> str:
    if hearing.window.start > hearing.scheduled.start:
        return f"the teacher, who began at {_clock(hearing.window.start, hearing)}"
    return f"the class began at {_clock(hearing.window.start, hearing)}"


def _ending(hearing: Hearing) -> str:
    if hearing.window.end < hearing.scheduled.end:
        return f"the teacher, who ended at {_clock(hearing.window.end, hearing)}"
    return f"the class ended at {_clock(hearing.window.end, hearing)}"


def _whole(hearing: Hearing) -> str:
    if hearing.window == hearing.scheduled:
        return "the class, " + _span(hearing.scheduled, hearing)
    return "the time that the teacher held the class, " + _span(hearing.window, hearing)


def _span(time: Interval, hearing: Hearing) -> str:
    return f"{_clock(time.start, hearing)} to {_clock(time.end, hearing)}"


def _clock(moment: datetime, hearing: Hearing) -> str:
    local = moment.astimezone(ZoneInfo(hearing.time_zone))
    return f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"


def _percent(part: timedelta, whole: timedelta, decimals: int = 0) -> str:
    """A share in percent, cut and not rounded: 49.9 % is not shown as the 50 % that were needed."""
    scale = 10**decimals
    return f"{part * 100 * scale // whole / scale:.{decimals}f}"


def _limit(limit: timedelta) -> str:
    return f"the limit is {_length(limit)}"


def _more(duration: timedelta, limit: timedelta) -> str:
    """A duration beyond a limit, also where the seconds look the same."""
    told = _length(duration)
    return f"just over {told}" if told == _length(limit) else told


def _length(duration: timedelta) -> str:
    """A duration as people say it, to the second."""
    minutes, seconds = divmod(duration // timedelta(seconds=1), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (seconds, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"
