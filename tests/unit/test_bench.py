"""The goals of the benchmark, its comparison with an earlier run, and what it publishes."""

import json
from dataclasses import replace
from itertools import starmap

import pytest

from bench.figures import growth, kept, readme
from bench.figures.goals import slower, verdicts
from bench.figures.kept import Kept, Machine
from bench.figures.model import (
    Conference,
    Conferences,
    Count,
    Crowd,
    Figures,
    Fresh,
    Import,
    ManyClasses,
    Page,
    Pairs,
    Refusing,
    Repeat,
    Samples,
    Start,
    Trips,
    WithEvents,
    pages,
    round_trips,
)
from bench.start.imports import slowest

HERE = Machine("2026-11-28T09:00:00+00:00", "Z80", 1, 4, "CP/M", "3.11.7", "1", "2", 0.1)


def pairs(*seconds):
    return Pairs(wall=seconds, cpu=tuple(each / 2 for each in seconds))


def conference(*, ours=0.4, rewritten=0, calls=505, trips=6, people=500):
    repeat = Repeat(0.1, calls=0, documents=2, attendance=rewritten)
    return Conference(
        people=people,
        delay=0.03,
        calls=calls,
        documents=502,
        trips=Trips(reads=495, writes=542, deletes=0, before=1, meanwhile=trips - 3, after=2),
        ours=pairs(9.0, ours, ours, 0.1),
        floor=pairs(4.5, 0.2, 0.2, 0.05),
        same_event=repeat,
        later_event=repeat,
    )


def figures(*, memory=100, crowd=80, start=1.4, short=0.2, asked=7, unknown=0.9, batches=3, **large):
    """Everything, with every goal met."""
    return Figures(
        conference=Conferences(
            large=conference(**large),
            with_events=WithEvents(people=500, events=1000, calls=asked, ours=pairs(short, short, short, short)),
            fresh=Fresh(pairs(0.5 + unknown), pairs(0.5), people_calls=batches, directory_calls=27),
            baseline=(16.0, 16.0, 20.0),
            sizes=(conference(people=10), conference(people=1000)),
        ),
        calls=(Count("second read", 9, {"GetConferenceRecord": 1}, 9, "record + 1 page + 7"),),
        refusals=Refusing(500, 505, (1000, 1010), (495, 505), failed=0, differing=(0, 0), seconds=(9.0, 9.0)),
        start=Start(pairs(start, start), pairs(1.0, 1.0), (Import("grpc", 0.1, 0.1),)),
        crowds=(Crowd(1, 30, 1.0, 50 << 20, 60 << 20), Crowd(crowd, 2400, 9.0, 50 << 20, memory << 20)),
        quota=(ManyClasses("5,000 of 30", 5000, 5000, 1700.0, 1.06, 849.0, 1.09),),
        pages=(Page("register", Samples((0.1, 0.4, 9.0)), 1, 1000),),
    )


def unmet(found):
    return {verdict.name for verdict in verdicts(found) if not verdict.met}


def test_ratios_are_of_pairs_so_that_one_slow_moment_does_not_count_for_one_side_alone():
    assert conference().times_floor.wall == (2.0, 2.0, 2.0, 2.0)


def test_the_paper_floor_is_each_page_after_the_other_and_then_the_sessions_of_the_last():
    assert [(pages(people), round_trips(people)) for people in (1, 250, 251, 500, 501)] == [
        (1, 2),
        (1, 2),
        (2, 3),
        (2, 3),
        (3, 4),
    ]
    assert conference().paper_floor == 0.09


def test_every_goal_can_be_met():
    assert len(verdicts(figures())) == 18
    assert unmet(figures()) == set()


@pytest.mark.parametrize(
    ("worse", "names"),
    [
        (
            {"ours": 1.2},
            {
                "scheduled class of 500, event to commit: time",
                "the same: CPU",
                "the same, next to the plain loop",
            },
        ),
        ({"calls": 506}, {"calls to Meet, 500 people"}),
        ({"trips": 7}, {"Firestore calls one after the other"}),
        ({"rewritten": 1}, {"writes, same event again", "writes, read again without news"}),
        ({"short": 0.41}, {"with joined and left events at hand, 500 people, nobody came back"}),
        ({"asked": 8}, {"the same: calls to Meet"}),
        ({"unknown": 1.1}, {"first event of a new instance, 500 accounts never seen"}),
        ({"batches": 4}, {"first event of a new instance, 500 accounts never seen"}),
        ({"start": 1.6}, {"process start to first event answered: time", "the same: CPU"}),
        ({"memory": 256}, {"memory, 80 conferences at once, 2400 people"}),
        ({"crowd": 10}, {"memory, 10 conferences at once, 2400 people"}),
    ],
)
def test_a_goal_that_is_missed_shows_it(worse, names):
    assert unmet(figures(**worse)) == names


@pytest.mark.parametrize("worse", [{"calls": (1000, 1300)}, {"failed": 1}, {"differing": (0, 3)}])
def test_a_meet_that_refuses_calls_may_cost_calls_but_no_document_and_no_read(worse):
    found = figures()

    assert unmet(replace(found, refusals=replace(found.refusals, **worse))) == {
        "Meet answers 429 to half of all calls, 500 people"
    }


@pytest.mark.parametrize(
    ("worse", "name"),
    [
        ({"times_dictated": 1.21}, "5,000 classes end in the same minute, simulated: the last is read"),
        ({"done": 4999}, "5,000 classes end in the same minute, simulated: the last is read"),
        ({"small_times_dictated": 1.11}, "the same: the median small class"),
    ],
)
def test_all_classes_must_be_read_soon_after_the_quota_allows_it(worse, name):
    found = figures()

    assert unmet(replace(found, quota=(replace(found.quota[0], **worse),))) == {name}


def test_the_other_parts_have_goals_too():
    found = figures()

    assert unmet(replace(found, calls=(replace(found.calls[0], calls=10),))) == {"calls to Meet, second read"}
    assert unmet(replace(found, pages=(Page("slow", Samples((0.1, 0.6, 0.7)), 500, 1),))) == {"page: slow"}


def test_a_part_that_was_not_measured_has_no_goals():
    assert verdicts(Figures()) == []
    assert [verdict.name for verdict in verdicts(Figures(pages=figures().pages))] == ["page: register"]


def with_large(found, **changed):
    part = found.conference
    return replace(found, conference=replace(part, large=replace(part.large, **changed)))


def test_a_ratio_that_is_worse_than_the_runs_differ_is_named():
    before = figures()

    assert slower(before, before) == []
    assert slower(replace(before, start=Start(pairs(1.6, 1.6), pairs(1.0, 1.0), ())), before) == [
        "start, time / bare: 1.6 instead of 1.4",
        "start, CPU / bare: 1.6 instead of 1.4",
    ]
    assert slower(figures(short=0.3), before) == ["time with events / plain loop: 0.0187 instead of 0.0125"]
    assert slower(replace(before, refusals=replace(before.refusals, calls=(1200, 1210))), before) == [
        "calls / calls without refusals: 2.39 instead of 1.99"
    ]


def test_one_slow_pair_is_noise():
    before = figures()
    pair = before.conference.large

    assert slower(with_large(before, ours=pairs(18.0, 0.4, 0.4, 0.1), floor=pair.floor), before) == []
    assert slower(with_large(before, ours=pairs(18.0, 0.8, 0.8, 0.2), floor=pair.floor), before)[:2] == [
        "time / floor: 4 instead of 2",
        "CPU / floor: 4 instead of 2",
    ]


def test_a_slower_machine_is_not_worse():
    """Everything takes three times as long, in both ways."""
    before = figures()

    def thrice(times):
        return tuple(3 * each for each in times)

    def slow(both):
        return Pairs(thrice(both.wall), thrice(both.cpu))

    part = before.conference
    after = replace(
        before,
        conference=replace(
            part,
            large=replace(part.large, ours=slow(part.large.ours), floor=slow(part.large.floor)),
            with_events=replace(part.with_events, ours=slow(part.with_events.ours)),
            baseline=thrice(part.baseline),
        ),
    )

    assert slower(after, before) == []


def test_on_a_busy_machine_nothing_is_compared_with_the_plain_loop_which_only_waits():
    """Ours and the floor take three times as long, the plain loop as long as before."""
    before = figures()
    part = before.conference
    short = replace(part.with_events, ours=Pairs((0.6,) * 4, (0.3,) * 4))
    large = replace(part.large, ours=pairs(27, 1.2, 1.2, 0.3), floor=pairs(13.5, 0.6, 0.6, 0.15))
    after = replace(before, conference=replace(part, large=large, with_events=short))

    assert slower(after, before, busy=True) == []
    assert slower(after, before) == ["time with events / plain loop: 0.0375 instead of 0.0125"]


def test_events_at_hand_are_compared_with_the_floor_too():
    def events(seconds):
        found = figures()
        part = found.conference
        large = replace(part.large, ours=pairs(0.4, 0.4, 0.4, 0.4), floor=pairs(0.2, 0.2, 0.2, 0.2))
        return replace(
            found,
            conference=replace(part, large=large, with_events=replace(part.with_events, ours=pairs(*[seconds] * 4))),
        )

    assert slower(events(0.3), events(0.2), busy=True) == [
        "time with events / floor: 1.5 instead of 1",
        "CPU with events / floor: 1.5 instead of 1",
    ]


def test_what_only_one_of_two_runs_measured_is_not_compared():
    assert slower(figures(), Figures()) == []
    assert slower(Figures(), figures()) == []


def test_the_file_holds_every_sample_and_is_read_again():
    found = Kept().updated(figures(), HERE)
    text = kept.dump(found)

    assert json.loads(text)["conference"]["figures"]["large"]["ours"]["wall"] == [9.0, 0.4, 0.4, 0.1]
    assert all(goal["met"] for goal in json.loads(text)["goals"])
    assert kept.load(text) == found


def test_a_part_that_is_measured_alone_replaces_only_itself():
    other = replace(HERE, date="2026-12-01T09:00:00+00:00")
    found = Kept().updated(figures(), HERE).updated(Figures(pages=()), other)

    assert found.figures == replace(figures(), pages=())
    assert found.machines["pages"] == other
    assert found.measured_on == f"{HERE}; {other}"


def test_a_part_from_another_version_of_the_benchmark_is_left_out():
    text = json.loads(kept.dump(Kept().updated(figures(), HERE)))
    del text["start"]["figures"]["bare"]

    found = kept.load(json.dumps(text))

    assert found.figures == replace(figures(), start=None)
    assert "start" not in found.machines
    assert kept.load("{}") == Kept()


def test_the_machine_is_named_by_its_kind_alone():
    assert str(HERE) == "Z80, 1 cores, 4 GiB of memory, CP/M, Python 3.11.7, 2026-11-28"
    assert str(replace(HERE, load=0.6)).endswith(", 2026-11-28, busy with other work (load 0.6)")
    assert Machine.this().cores >= 1


def test_the_table_is_written_between_its_comments():
    found = Kept().updated(figures(start=1.6), HERE)
    page = "Before\n\n<!-- figures: written by python -m bench -->\n\nold\n\n<!-- /figures -->\n\nAfter\n"

    written = readme.written(page, found)

    assert (
        "| process start to first event answered: time | 1.60 times the bare function: 1.60 s and 1.00 s |" in written
    )
    assert "| at most 1.5 times | **not met** |" in written
    assert f"Measured on: {HERE}." in written
    assert written.startswith("Before\n\n<!-- figures: written by python -m bench -->\n\n| figure |")
    assert written.endswith("\n\n<!-- /figures -->\n\nAfter\n")
    assert readme.written(written, found) == written
    with pytest.raises(ValueError, match="no place"):
        readme.written("Before\n", found)


def test_the_readme_shows_what_was_measured():
    found = kept.load(kept.FILE.read_text())

    assert readme.written(readme.PAGE.read_text(), found) == readme.PAGE.read_text(), "run: python -m bench --tables"


def test_the_plot_shows_times_cpu_and_memory():
    drawn = growth.plot(figures())

    assert drawn.count("<polyline") == 6
    assert drawn.count("<circle") == 3 * 2 * 2 + 2
    assert "people in one conference" in drawn
    assert growth.plot(replace(figures(), crowds=None)) is None


PRINTED = """import time: self [us] | cumulative | imported package
import time:       100 |        100 |   google.cloud
import time:      2000 |       2100 |     google.cloud.firestore_v1.types
import time:      1000 |       3100 |   google.cloud.firestore
import time:       500 |       4000 | grpc._channel
{"message": "not a line of Python's"}
import time:       700 |       4700 | grpc
"""


def test_imports_are_summed_for_each_package_without_what_they_import_themselves():
    bare = "import time:       300 |        300 | grpc\n"

    assert slowest(ours=[PRINTED], bare=[bare]) == tuple(
        starmap(
            Import,
            [
                ("google.cloud.firestore_v1", 0.002, 0.0),
                ("grpc", 0.0012, 0.0003),
                ("google.cloud.firestore", 0.001, 0.0),
                ("google.cloud", 0.0001, 0.0),
            ],
        )
    )
