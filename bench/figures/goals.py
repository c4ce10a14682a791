"""Each goal with its measurement, and what is worse than before. This module has no input or output."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.figures.model import (
    Conferences,
    Count,
    Crowd,
    Figures,
    ManyClasses,
    Page,
    Refusing,
    Repeat,
    Start,
    pages,
)

TIMES_FASTER, TIMES_FASTER_WITH_EVENTS = 15, 40
TIMES_FLOOR, TIMES_FLOOR_CPU = 2.2, 3.5
TIMES_BARE_START = 1.5
UNKNOWN_SECONDS = 1.0
"""The maximum time that 500 new accounts may add."""
ACCOUNTS_IN_A_BATCH = 200
"""The maximum number of accounts in one call to People."""
TRIPS = 6
CROWD, CROWD_BYTES = 80, 256 << 20
TIMES_CALLS_REFUSED = 2.5
TIMES_DICTATED, TIMES_DICTATED_SMALL = 1.2, 1.1
PAGE_SECONDS = 0.5
"""The maximum time that a person should wait for a page: a few hundred milliseconds."""
DOCUMENTS_UNCHANGED = 2
"""The number of documents that a recording without news may write; none of them is attendance."""

NOTICEABLE = 1.02
"""A ratio that is worse by less than this is not."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One goal, the measurement, and whether the goal is met."""

    name: str
    measured: str
    goal: str
    met: bool


def verdicts(figures: Figures) -> list[Verdict]:
    """Return the goals of all measured parts, one by one."""
    found: list[Verdict] = []
    if figures.conference:
        found += _of_conferences(figures.conference)
    if figures.calls:
        found += map(_of_count, figures.calls)
    if figures.refusals:
        found.append(_of_refusals(figures.refusals))
    if figures.start:
        found += _of_start(figures.start)
    if figures.crowds:
        found.append(_of_crowds(figures.crowds))
    if figures.quota:
        found += _of_quota(figures.quota)
    if figures.pages:
        found += map(_of_page, figures.pages)
    return found


def _of_conferences(part: Conferences) -> Iterator[Verdict]:
    large, with_events, fresh = part.large, part.with_events, part.fresh
    times, ours, floor = large.times_floor, large.ours, large.floor
    people = large.people
    wall, cpu = statistics.median(times.wall), statistics.median(times.cpu)
    yield Verdict(
        f"scheduled class of {people}, event to commit: time",
        f"{wall:.2f} times the floor: {_s(ours.wall)} and {_s(floor.wall)} (delays alone: {large.paper_floor:.2f} s)",
        f"at most {TIMES_FLOOR:g} times the floor",
        met=wall <= TIMES_FLOOR,
    )
    yield Verdict(
        "the same: CPU",
        f"{cpu:.2f} times the floor: {_s(ours.cpu)} and {_s(floor.cpu)}",
        f"at most {TIMES_FLOOR_CPU:g} times the floor",
        met=cpu <= TIMES_FLOOR_CPU,
    )
    yield Verdict(
        "the same, next to the plain loop",
        f"{part.times_faster:.1f} times faster than {_s(part.baseline)}",
        f"at least {TIMES_FASTER} times faster",
        met=part.times_faster >= TIMES_FASTER,
    )
    yield Verdict(
        f"with joined and left events at hand, {with_events.people} people, nobody came back",
        f"{part.times_faster_with_events:.1f} times faster than the plain loop: {_s(with_events.ours.wall)}",
        f"at least {TIMES_FASTER_WITH_EVENTS} times faster",
        met=part.times_faster_with_events >= TIMES_FASTER_WITH_EVENTS,
    )
    most = pages(with_events.people) + 5
    yield Verdict("the same: calls to Meet", str(with_events.calls), f"at most {most}", met=with_events.calls <= most)
    batches = -(-people // ACCOUNTS_IN_A_BATCH)
    yield Verdict(
        f"first event of a new instance, {people} accounts never seen",
        f"+{fresh.added:.2f} s; {fresh.people_calls} calls to People, {fresh.directory_calls} to the Directory",
        f"at most +{UNKNOWN_SECONDS:g} s, at most {batches} calls to People",
        met=fresh.added <= UNKNOWN_SECONDS and fresh.people_calls <= batches,
    )
    most = people + pages(people) + 3
    yield Verdict(f"calls to Meet, {people} people", str(large.calls), f"at most {most}", met=large.calls <= most)
    trips = large.trips
    yield Verdict(
        "Firestore calls one after the other",
        f"{trips.one_after_the_other}: {trips.before} before Meet is asked, {trips.meanwhile} meanwhile, "
        f"{trips.after} after it",
        f"at most {TRIPS}",
        met=trips.one_after_the_other <= TRIPS,
    )
    yield _unchanged("writes, same event again", large.same_event)
    yield _unchanged("writes, read again without news", large.later_event)


_ASKED_FOR = {
    "GetConferenceRecord": "record",
    "GetSpace": "room",
    "ListParticipants": "pages",
    "ListConferenceRecords": "list of the room's calls",
    "ListParticipantSessions": "sessions",
}


def _of_count(count: Count) -> Verdict:
    parts = [(name, count.by_method.get(method, 0)) for method, name in _ASKED_FOR.items()]
    return Verdict(
        f"calls to Meet, {count.name}",
        f"{count.calls}: {', '.join(f'{name} {number}' for name, number in parts if number)}",
        f"at most {count.most}: {count.because}",
        met=count.calls <= count.most,
    )


def _of_refusals(part: Refusing) -> Verdict:
    same = "the same documents" if not any(part.differing) else f"{max(part.differing)} documents differ"
    failed = f"{part.failed} of {len(part.calls)} failed" if part.failed else "none failed"
    return Verdict(
        f"Meet answers 429 to half of all calls, {part.people} people",
        f"{part.times:.2f} times the calls, {same}, {failed}",
        f"at most {TIMES_CALLS_REFUSED:g} times, the same documents, none failed",
        met=part.times <= TIMES_CALLS_REFUSED and not any(part.differing) and not part.failed,
    )


def _of_start(part: Start) -> Iterator[Verdict]:
    times = part.ours.times(part.bare)
    for name, ratios, ours, bare in (
        ("process start to first event answered: time", times.wall, part.ours.wall, part.bare.wall),
        ("the same: CPU", times.cpu, part.ours.cpu, part.bare.cpu),
    ):
        ratio = statistics.median(ratios)
        yield Verdict(
            name,
            f"{ratio:.2f} times the bare function: {_s(ours)} and {_s(bare)}",
            f"at most {TIMES_BARE_START:g} times",
            met=ratio <= TIMES_BARE_START,
        )


def _of_crowds(part: Sequence[Crowd]) -> Verdict:
    crowd = max(part, key=lambda each: each.conferences)
    return Verdict(
        f"memory, {crowd.conferences} conferences at once, {crowd.people} people",
        f"{crowd.memory / (1 << 20):.0f} MiB",
        f"under {CROWD_BYTES >> 20} MiB for {CROWD} conferences",
        met=crowd.memory < CROWD_BYTES and crowd.conferences >= CROWD,
    )


def _of_quota(part: Sequence[ManyClasses]) -> Iterator[Verdict]:
    """Return the goals of the first run; the others are for comparison."""
    run = part[0]
    lost = "" if run.done == run.classes else f", {run.classes - run.done} not read"
    yield Verdict(
        f"{run.classes:,} classes end in the same minute, simulated: the last is read",
        f"{run.times_dictated:.2f} times as late as the quota dictates{lost}",
        f"at most {TIMES_DICTATED:g} times",
        met=run.times_dictated <= TIMES_DICTATED and not lost,
    )
    yield Verdict(
        "the same: the median small class",
        f"{run.small_times_dictated:.2f} times",
        f"at most {TIMES_DICTATED_SMALL:g} times",
        met=run.small_times_dictated <= TIMES_DICTATED_SMALL,
    )


def _of_page(page: Page) -> Verdict:
    return Verdict(
        f"page: {page.name}",
        f"{page.samples.median:.2f} s, {page.reads} document{'' if page.reads == 1 else 's'} read",
        f"at most {PAGE_SECONDS:g} s",
        met=page.samples.median <= PAGE_SECONDS,
    )


def slower(figures: Figures, before: Figures, *, busy: bool = False) -> list[str]:
    """Return the ratios that are worse than in an earlier run by more than the usual difference between runs.

    A ratio is worse if three quarters of its pairs are above three quarters of the earlier pairs: noise changes single
    pairs, but seldom the better half of them. A ratio that one of the two did not measure is left out.

    Args:
        figures: The measurements.
        before: Those of the earlier run.
        busy: Whether other programs ran meanwhile. The plain loop hardly notices them, because it waits for most of
            its time, so ratios to it say nothing then.
    """
    old = _ratios(before)
    return [
        f"{name}: {statistics.median(new):.3g} instead of {statistics.median(old[name]):.3g}"
        for name, new in _ratios(figures).items()
        if name in old
        and not (busy and name.endswith(_TO_PLAIN_LOOP))
        and _quartile(new, 0) > NOTICEABLE * _quartile(old[name], 2)
    ]


_TO_PLAIN_LOOP = " / plain loop"


def _ratios(figures: Figures) -> Mapping[str, Sequence[float]]:
    """Return every ratio that hardly depends on how fast the machine is; more is worse."""
    found: dict[str, Sequence[float]] = {}
    if part := figures.conference:
        floor, plain = part.large.times_floor, statistics.median(part.baseline)
        found |= {"time / floor": floor.wall, "CPU / floor": floor.cpu}
        found[f"time{_TO_PLAIN_LOOP}"] = [each / plain for each in part.large.ours.wall]
        found[f"time with events{_TO_PLAIN_LOOP}"] = [each / plain for each in part.with_events.ours.wall]
        with_events = part.with_events.ours.times(part.large.floor)
        found |= {"time with events / floor": with_events.wall, "CPU with events / floor": with_events.cpu}
    if figures.start:
        start = figures.start.ours.times(figures.start.bare)
        found |= {"start, time / bare": start.wall, "start, CPU / bare": start.cpu}
    if figures.refusals:
        found["calls / calls without refusals"] = [
            each / figures.refusals.undisturbed for each in figures.refusals.calls
        ]
    return found


def _quartile(values: Sequence[float], number: int) -> float:
    return statistics.quantiles(values, n=4)[number] if len(values) > 1 else values[0]


def _s(seconds: Sequence[float]) -> str:
    median = statistics.median(seconds)
    return f"{median:.2f} s" if median < 10 else f"{median:.1f} s"  # noqa: PLR2004 - three figures


def _unchanged(name: str, repeat: Repeat) -> Verdict:
    return Verdict(
        name,
        f"{repeat.documents}, of attendance {repeat.attendance}",
        f"at most {DOCUMENTS_UNCHANGED}, of attendance 0",
        met=repeat.documents <= DOCUMENTS_UNCHANGED and repeat.attendance == 0,
    )
