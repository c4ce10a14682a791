"""The tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from rich.box import SIMPLE_HEAD
from rich.table import Table

from bench.figures.goals import Verdict
from bench.figures.model import Conference, Conferences, Crowd, Figures, Page, Refusing, Start


def details(figures: Figures) -> Iterator[Table]:
    """Return the tables of everything that was measured, without the goals."""
    if figures.conference:
        yield times(figures.conference)
        yield costs(figures.conference)
        yield repeats(figures.conference)
    if figures.refusals:
        yield refusals(figures.refusals)
    if figures.start:
        yield imports(figures.start)
    if figures.crowds:
        yield crowds(figures.crowds)
    if figures.pages:
        yield page_times(figures.pages)


def goals(found: Sequence[Verdict]) -> Table:
    """Return a table of figures next to their goals."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1))
    for heading in ("Figure", "Measured", "Goal", ""):
        table.add_column(heading)
    for verdict in found:
        answer = "[green]met[/]" if verdict.met else "[bold red]not met[/]"
        table.add_row(verdict.name, verdict.measured, verdict.goal, answer)
    return table


def times(part: Conferences) -> Table:
    """Return a table of the time of a conference of each size."""
    large = part.large
    table = _table(
        f"A conference of a scheduled class, event to commit; {large.delay * 1000:g} ms a call to Meet",
        ("people", "ours ms", "floor ms", "times", "CPU ms", "floor", "times"),
        caption=f"Medians of pairs in turn, {len(large.ours.wall)} of the {large.people} people. The floor makes the "
        f"same calls and the same commit with bare gRPC. The delays alone of its calls that must follow each other are "
        f"{large.paper_floor * 1000:.0f} ms for {large.people} people.",
    )
    for each in _by_size(part):
        ratios = each.times_floor
        table.add_row(
            str(each.people),
            *(_ms(each.ours.wall), _ms(each.floor.wall), f"{median(ratios.wall):.2f}"),
            *(_ms(each.ours.cpu), _ms(each.floor.cpu), f"{median(ratios.cpu):.2f}"),
        )
    return table


def costs(part: Conferences) -> Table:
    """Return a table of the cost of a conference of each size at Meet and Firestore."""
    table = _table(
        "Its calls to Meet; documents read and written in Firestore, in so many calls one after the other",
        ("people", "Meet calls", "reads", "writes", "deletes", "in a row"),
    )
    for each in _by_size(part):
        trips = each.trips
        numbers = (each.people, each.calls, trips.reads, trips.writes, trips.deletes, trips.one_after_the_other)
        table.add_row(*map(str, numbers))
    return table


def repeats(part: Conferences) -> Table:
    """Return a table of the other ways to read the large conference."""
    large, with_events, fresh = part.large, part.with_events, part.fresh
    table = _table("", ("ms", "CPU ms"), first="The large conference", last="")
    table.add_row("plain loop", _ms(part.baseline), "", f"{large.people} documents, medians of {len(part.baseline)}")
    table.add_row(
        "ours, with joined and left events",
        *(_ms(with_events.ours.wall), _ms(with_events.ours.cpu)),
        f"{with_events.events} events, {with_events.calls} calls to Meet",
    )
    for name, pairs in (("known", fresh.known), ("never seen", fresh.unknown)):
        table.add_row(f"ours, a new instance, accounts {name}", _ms(pairs.wall), _ms(pairs.cpu), "")
    for name, repeat in (("same event again", large.same_event), ("later event, no news", large.later_event)):
        told = f"{repeat.calls} calls to Meet, {repeat.documents} writes"
        table.add_row(f"ours, {name}", f"{repeat.wall * 1000:.0f}", "", told)
    return table


def refusals(part: Refusing) -> Table:
    """Return a table of the reads of a Meet that refuses calls."""
    table = _table(
        f"{part.people} people, a Meet that answers 429 to half of all calls; undisturbed: {part.undisturbed} calls",
        ("calls", "refused", "differing documents", "s"),
    )
    for calls, refused, differing, seconds in zip(part.calls, part.refused, part.differing, part.seconds, strict=True):
        table.add_row(str(calls), str(refused), str(differing), f"{seconds:.1f}")
    return table


def imports(part: Start) -> Table:
    """Return a table of the packages that take longest to import."""
    table = _table(
        "Process start to first answer: the packages whose own modules take longest to import",
        ("ms", "in the bare function"),
        first="Package",
        caption="On the clock, medians of several starts; listing the imports slows them down a little.",
    )
    for each in part.imports:
        table.add_row(each.package, f"{each.ours * 1000:.0f}", f"{each.bare * 1000:.0f}")
    return table


def crowds(part: Sequence[Crowd]) -> Table:
    """Return a table of the conferences that end at once."""
    table = _table("Conferences at once in one instance", ("conferences", "people", "s", "MiB before", "MiB at most"))
    for crowd in part:
        mib = (f"{crowd.started / (1 << 20):.0f}", f"{crowd.memory / (1 << 20):.0f}")
        table.add_row(str(crowd.conferences), str(crowd.people), f"{crowd.seconds:.2f}", *mib)
    return table


def page_times(part: Sequence[Page]) -> Table:
    """Return a table of each page's time and reads."""
    table = _table(
        "Pages through the API: a register of 200 students in 40 class meetings, a report of 500 people",
        ("median ms", "min", "max", "documents read", "KB"),
        first="Page",
    )
    for page in part:
        samples = page.samples
        milliseconds = (f"{value * 1000:.0f}" for value in (samples.median, samples.least, samples.most))
        table.add_row(page.name, *milliseconds, str(page.reads), f"{page.size / 1000:.0f}")
    return table


def _table(
    title: str,
    numbers: Sequence[str],
    *,
    first: str | None = None,
    last: str | None = None,
    caption: str | None = None,
) -> Table:
    table = Table(
        title=title or None,
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1),
        caption=caption,
        caption_justify="left",
    )
    if first is not None:
        table.add_column(first, no_wrap=True)
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    if last is not None:
        table.add_column(last)
    return table


def _by_size(part: Conferences) -> list[Conference]:
    return sorted((part.large, *part.sizes), key=lambda conference: conference.people)


def _ms(seconds: Sequence[float]) -> str:
    return f"{median(seconds) * 1000:.0f}"
