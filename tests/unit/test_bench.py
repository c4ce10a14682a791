from dataclasses import replace

from bench.figures import (
    Conference,
    Crowd,
    Figures,
    Page,
    Pairs,
    Repeat,
    Samples,
    Start,
    Trips,
    page_verdicts,
    pages,
    round_trips,
    slower,
    verdicts,
)
from bench.report import figures_of, page_results, results


def pairs(*seconds):
    return Pairs(wall=seconds, cpu=tuple(each / 2 for each in seconds))


def conference(*, ours=0.4, rewritten=0, calls=505, trips=6):
    repeat = Repeat(0.1, calls=0, documents=2, attendance=rewritten)
    return Conference(
        people=500,
        delay=0.03,
        calls=calls,
        documents=502,
        trips=Trips(reads=495, writes=542, deletes=0, one_after_the_other=trips),
        ours=pairs(9.0, ours, ours, 0.1),
        floor=pairs(4.5, 0.2, 0.2, 0.05),
        unknown=pairs(1.0),
        baseline=(16.0,),
        same_event=repeat,
        later_event=repeat,
    )


def figures(*, memory=100, start=1.4, **what):
    return Figures(
        large=conference(**what),
        sizes=(),
        start=Start(ours=pairs(start, start), bare=pairs(1.0, 1.0)),
        crowds=(Crowd(1, 30, 1.0, 50 << 20, 60 << 20), Crowd(80, 2400, 9.0, 50 << 20, memory << 20)),
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


def test_each_goal_shows_whether_it_is_met():
    assert unmet(figures()) == set()
    assert unmet(figures(ours=1.2)) == {"time / floor", "CPU / floor", "plain loop / ours"}
    assert unmet(figures(calls=506)) == {"calls to Meet"}
    assert unmet(figures(trips=7)) == {"Firestore calls in a row"}
    assert unmet(figures(rewritten=1)) == {"writes, same event", "writes, later event"}
    assert unmet(figures(start=1.6)) == {"start, time / bare", "start, CPU / bare"}
    assert unmet(figures(memory=256)) == {"memory, 80 at once"}


def test_a_ratio_that_is_worse_than_the_runs_differ_is_named():
    before = figures()
    noisy = replace(before, large=replace(before.large, ours=pairs(18.0, 0.4, 0.4, 0.1)))

    assert slower(noisy, before) == []
    assert slower(replace(before, start=Start(pairs(1.6, 1.6), pairs(1.0, 1.0))), before) == [
        "start, time / bare: 1.60 instead of 1.40",
        "start, CPU / bare: 1.60 instead of 1.40",
    ]


def test_the_first_run_has_nothing_to_be_compared_with():
    assert slower(figures(), None) == []
    assert figures_of({}) is None


def test_the_results_hold_every_sample_and_are_read_again():
    kept = results(figures())

    assert kept["large"]["ours"]["wall"] == (9.0, 0.4, 0.4, 0.1)
    assert all(goal["met"] for goal in kept["goals"])
    assert figures_of(kept) == figures()


def test_a_page_should_come_within_half_a_second():
    measured = [Page("quick", Samples((0.1, 0.4, 9.0)), 1, 1000), Page("slow", Samples((0.1, 0.6, 0.7)), 500, 1000)]

    assert [(verdict.name, verdict.met) for verdict in page_verdicts(measured)] == [("quick", True), ("slow", False)]
    assert page_results(measured)["pages"][1]["median"] == 0.6
