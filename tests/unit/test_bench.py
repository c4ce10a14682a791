from bench.figures import Calls, Figures, Page, Repeat, Samples, page_verdicts, pages, round_trips, verdicts
from bench.report import page_results, results


def figures(*, ours=0.4, floor=0.3, rewritten=0, calls=504):
    repeat = Repeat(Samples((0.1,)), documents=2, attendance=rewritten)
    return Figures(
        people=500,
        delay=0.03,
        calls=Calls(baseline=505, ours=calls, floor=504, same_event=0, later_event=504),
        documents=502,
        attendance=500,
        baseline=Samples((16.0,)),
        ours=Samples((9.0, ours, 0.1)),
        floor=Samples((floor,)),
        same_event=repeat,
        later_event=repeat,
    )


def met(found):
    return {verdict.name: verdict.met for verdict in verdicts(found)}


def test_one_slow_run_does_not_spoil_the_median():
    assert figures().ours.median == 0.4


def test_the_paper_floor_is_each_page_after_the_other_and_then_the_sessions_of_the_last():
    assert [(pages(people), round_trips(people)) for people in (1, 250, 251, 500, 501)] == [
        (1, 2),
        (1, 2),
        (2, 3),
        (2, 3),
        (3, 4),
    ]
    assert figures().paper_floor == 0.09


def test_goals_are_met_or_not():
    assert all(met(figures()).values())
    assert not met(figures(ours=0.8))["baseline / ours"]
    assert not met(figures(ours=0.61))["ours / floor"]
    assert not met(figures(calls=506))["calls to Meet"]
    assert not met(figures(rewritten=1))["writes, same event"]


def test_the_results_hold_every_sample():
    kept = results(figures())

    assert kept["ours"] == {"seconds": (9.0, 0.4, 0.1)}
    assert kept["times_faster"] == 40
    assert [goal["met"] for goal in kept["goals"]] == [True] * 5


def test_a_page_should_come_within_half_a_second():
    measured = [Page("quick", Samples((0.1, 0.4, 9.0)), 1, 1000), Page("slow", Samples((0.1, 0.6, 0.7)), 500, 1000)]

    assert [(verdict.name, verdict.met) for verdict in page_verdicts(measured)] == [("quick", True), ("slow", False)]
    assert page_results(measured)["pages"][1]["median"] == 0.6
