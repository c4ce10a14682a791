"""Marks: what a student gets for a class meeting, each with its reason.

Exact times are compared: a student exactly at a limit is not late, not early and not partial. If data that is not final
could still improve an unfavourable mark, the mark is `unknown` until the data is complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from functions.domain.classes.policy import Policy
from functions.domain.classes.roster import Mark
from functions.domain.classes.sessions import Presence, Verdict
from functions.domain.intervals import Interval, covered, union

_UNDECIDED = "Not decided yet"
_NOT_FINAL = "Google Meet's data of this class is not final."
_FAVOUR = {Mark.ABSENT: 0, Mark.PARTIAL: 1, Mark.LATE: 2, Mark.LEFT_EARLY: 2, Mark.PRESENT: 3}
_UNFAVOURABLE = frozenset(mark for mark, favour in _FAVOUR.items() if favour < _FAVOUR[Mark.PRESENT])


@dataclass(frozen=True, slots=True)
class Pending:
    """A record that belongs to the class and whose data is not final.

    A record that began after the class, and after another record was final, does not count as such: it cannot contain
    anybody's time in the class, and must not remove marks that were given before it began.

    Attributes:
        start: When it began, or the earliest moment at which it may have begun; None if that is not known.
        end: When it ended; None if that is not known.
        teacher_open: Whether Meet does not say when a teacher in it left.
        teacher_unseen: Whether a teacher may have been in it who is not shown in it yet.
    """

    conference_record: str
    start: datetime | None
    end: datetime | None
    teacher_open: bool
    teacher_unseen: bool


@dataclass(frozen=True, slots=True)
class Hearing:
    """The data on which the marks of all students in one class meeting depend.

    Attributes:
        scheduled: From when to when the class was to be.
        taught: From a teacher's coming to a teacher's going, within that; None without a teacher.
        held: The same time if it counts; None if the scheduled time counts (`held_window`).
        policy: The class's rules.
        time_zone: The time zone of its clock times, an IANA name.
        now: The time of the computation.
        unread: Whether a record could not be read, and no other was final before: then nothing is known about anybody.
        pending: Records that are not final.
        searched: Whether Meet's list of records, begun at or after the scheduled end, was read to its last page.
        held_long_enough: Whether the class was held as long as the policy requires.
        unlisted: The parts of the scheduled time in which there may have been another call, as far as Meet was asked.
        everybody_known: Whether every account that was in the class has been looked up since then.
        teachers_known: Whether each teacher was found, or nobody else can be a teacher.
        reported: Calls that are known only from Google's reports, whose rows may come late or never.
    """

    scheduled: Interval
    taught: Interval | None
    held: Interval | None
    policy: Policy
    time_zone: str
    now: datetime
    unread: bool
    pending: tuple[Pending, ...]
    searched: bool
    held_long_enough: bool
    unlisted: tuple[Interval, ...] = ()
    everybody_known: bool = True
    teachers_known: bool = True
    reported: frozenset[str] = frozenset()

    @property
    def window(self) -> Interval:
        """The time that a student should have been there."""
        return self.held if self.held and self.policy.window == "held" else self.scheduled


def verdict(presences: Sequence[Presence], hearing: Hearing) -> Verdict:
    """A student's mark by the rules; never `excused`, which only people can give.

    Args:
        presences: The student's time, within what the class meeting owns.
        hearing: Everything that is known about the class.
    """
    if not hearing.policy.marks:
        return Verdict()
    if hearing.unread:
        return Verdict(Mark.UNKNOWN, f"{_UNDECIDED}: a meeting of this class could not be read from Google Meet.")
    found = _by_the_data(presences, hearing)
    doubt = _doubt(found.status, presences, hearing)
    return Verdict(Mark.UNKNOWN, f"{_UNDECIDED}: {doubt}") if doubt else found


def _by_the_data(presences: Sequence[Presence], hearing: Hearing) -> Verdict:
    """The mark if the data is complete."""
    inside = _inside(presences, hearing)
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
    if hearing.now < hearing.scheduled.end and status in _UNFAVOURABLE - {Mark.LATE}:
        return f"the class goes on until {_clock(hearing.scheduled.end, hearing)}."
    for record in hearing.pending:
        if doubt := _doubt_by(record, status, presences, hearing):
            return doubt
    if status and status in _UNFAVOURABLE and _window_may_change(status, presences, hearing):
        return "Google Meet's data of the teacher is not final."
    if status in _UNFAVOURABLE and not hearing.reported <= _shown_in(presences, hearing):
        return "the class is known from Google's reports, in which people may be missing."
    if (status is Mark.ABSENT and not hearing.searched) or _a_further_call_may_help(status, presences, hearing):
        return "Google Meet has not been asked about all of its meetings since the class."
    if status is Mark.ABSENT and not hearing.held_long_enough:
        return "it is not certain that the class was held."
    return _doubt_of_identity(status, hearing)


def _doubt_of_identity(status: Mark | None, hearing: Hearing) -> str | None:
    """Why a mark cannot be given before everybody is identified; None if it can."""
    if status is Mark.ABSENT and not hearing.everybody_known:
        return "the account of somebody in the class could not be looked up yet."
    by_teacher = hearing.policy.window == "held" and status in {Mark.LATE, Mark.LEFT_EARLY, Mark.PARTIAL}
    if by_teacher and not hearing.teachers_known:
        return "somebody in the class may be its teacher, and their account could not be looked up yet."
    return None


def _doubt_by(record: Pending, status: Mark | None, presences: Sequence[Presence], hearing: Hearing) -> str | None:
    """What a record that is not final may still show about a student, so that a mark cannot be given yet."""
    own = [presence for presence in presences if presence.conference_record == record.conference_record]
    if any(presence.open for presence in own):
        return "Google Meet does not say when this person left."
    if own and record.end is None:
        return "Google Meet does not say when the meeting ended."
    if status not in _UNFAVOURABLE or record.conference_record in _shown_in(own, hearing):
        return None
    if status is Mark.ABSENT:
        return _NOT_FINAL
    # The student is not shown in it, so it may contain any time between its start and its end.
    first = min((inside.start for inside in _inside(presences, hearing)), default=hearing.scheduled.end)
    last = max((inside.end for inside in _inside(presences, hearing)), default=hearing.scheduled.start)
    changes_nothing = (
        (record.start is not None and record.start >= hearing.scheduled.end)
        or (record.end is not None and record.end <= hearing.scheduled.start)
        or (status is Mark.LATE and record.start is not None and record.start >= first)
        or (status is Mark.LEFT_EARLY and record.end is not None and record.end <= last)
    )
    return None if changes_nothing else _NOT_FINAL


def _window_may_change(status: Mark, presences: Sequence[Presence], hearing: Hearing) -> bool:
    """Whether a record that is not final may still change the window so that the mark improves.

    More time of a teacher makes the window longer. More time of other people decides whether the teacher's time or the
    scheduled time counts, so neither of them may give a better mark.
    """
    if hearing.policy.window != "held" or not hearing.pending or status is Mark.ABSENT:
        return False
    for held in (None, hearing.taught):
        other = _by_the_data(presences, replace(hearing, held=held)).status
        if other and _FAVOUR[other] > _FAVOUR[status]:
            return True
    may_end_earlier = any(record.teacher_open for record in hearing.pending)
    may_grow = any(record.teacher_unseen for record in hearing.pending) and hearing.taught != hearing.scheduled
    match status:
        case Mark.PARTIAL:
            return may_end_earlier or may_grow
        case Mark.LEFT_EARLY:
            return may_end_earlier or (may_grow and hearing.taught is None)
        case _:
            return may_grow and hearing.taught is None


def _a_further_call_may_help(status: Mark | None, presences: Sequence[Presence], hearing: Hearing) -> bool:
    """Whether a `partial` mark may improve because of calls for which Meet was not asked yet."""
    if status is not Mark.PARTIAL or not hearing.unlisted:
        return False
    throughout = [*presences, *(Presence("", "", gap, open=False) for gap in hearing.unlisted)]
    windows = (replace(hearing, held=held) for held in (hearing.held, None, hearing.taught))
    return any(_by_the_data(throughout, window).status is not Mark.PARTIAL for window in windows)


def _inside(presences: Sequence[Presence], hearing: Hearing) -> list[Interval]:
    """A student's time in the class, as disjoint intervals."""
    return union(clipped for p in presences if (clipped := p.interval.clip(hearing.scheduled)))


def _shown_in(presences: Sequence[Presence], hearing: Hearing) -> frozenset[str]:
    """The records that contain some of a student's time in the class."""
    return frozenset(presence.conference_record for presence in presences if _inside([presence], hearing))


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
    return local.time().isoformat("seconds" if local.second else "minutes")


def _percent(part: timedelta, whole: timedelta, decimals: int = 0) -> str:
    """A share in percent, cut and not rounded, so that 49.9 % does not look like the 50 % that were needed."""
    scale = 10**decimals
    return f"{part * 100 * scale // whole / scale:.{decimals}f}"


def _limit(limit: timedelta) -> str:
    return f"the limit is {_length(limit)}"


def _more(duration: timedelta, limit: timedelta) -> str:
    """A duration above a limit, even if both look the same in whole seconds."""
    told = _length(duration)
    return f"just over {told}" if told == _length(limit) else told


def _length(duration: timedelta) -> str:
    """A duration as people say it, to the second."""
    minutes, seconds = divmod(duration // timedelta(seconds=1), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (seconds, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"
