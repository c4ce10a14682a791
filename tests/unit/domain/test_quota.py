"""How many calls a minute may have, whose turn it is, and how instances share a quota."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from functions.domain.quota.allowance import FIRST_PAUSE, IN_A_ROW, LONGEST_PAUSE, RECOVERY, WINDOW, Allowance
from functions.domain.quota.claims import LEASE, claimed
from functions.domain.quota.claims import WINDOW as MINUTE
from functions.domain.quota.queue import SECONDS_PER_CALL, USUAL_CALLS, FairQueue, QueuedTask

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FOREVER = float("inf")


def go(allowance, now):
    """Make the next call as soon as it may be made, from a moment on; when it is made."""
    while (ready := allowance.ready_at(now)) > now:
        now = ready
    allowance.take(now)
    return now


def assert_never_more_than(limit, times):
    for first in times:
        assert sum(first <= time < first + WINDOW - 1e-6 for time in times) <= limit


def test_calls_below_the_limit_do_not_wait():
    allowance = Allowance(3)

    assert [go(allowance, 1000) for _ in range(3)] == [1000] * 3


def test_the_next_call_waits_until_the_oldest_is_a_minute_ago():
    allowance = Allowance(2)
    times = [go(allowance, 1000), go(allowance, 1010)]
    for _ in range(3):
        times.append(go(allowance, times[-1]))

    assert times == [1000, 1010, 1060, 1070, 1120]


def test_zero_is_no_limit():
    allowance = Allowance(0)

    assert {go(allowance, 1000) for _ in range(1000)} == {1000}


@given(st.integers(1, 5), st.lists(st.floats(0, 30), min_size=1, max_size=60))
def test_no_minute_ever_sees_more_calls_than_the_limit(limit, pauses):
    allowance, now, times = Allowance(limit), 1000.0, []
    for pause in pauses:
        now = go(allowance, now + pause)
        times.append(now)

    assert_never_more_than(limit, times)


def test_a_few_refusals_change_nothing():
    allowance = Allowance(600)
    for _ in range(IN_A_ROW - 1):
        allowance.refused(1000)
    allowance.accepted()
    for _ in range(IN_A_ROW - 1):
        allowance.refused(1000)

    assert (allowance.ready_at(1000), allowance.level(1000)) == (1000, 600)


def exhausted(*, limit=600, made=300, at=1000.0):
    allowance = Allowance(limit)
    for _ in range(made):
        allowance.take(at)
    for _ in range(IN_A_ROW):
        allowance.refused(at)
    return allowance


def test_while_a_quota_is_exhausted_one_call_after_each_growing_pause_finds_out():
    allowance, now, pauses = exhausted(made=0), 1000.0, []
    for _ in range(6):
        ready = go(allowance, now)
        pauses.append(ready - now)
        now = ready + 0.03
        assert allowance.ready_at(now) > now  # nobody else meanwhile
        allowance.refused(now)

    assert pauses == sorted(pauses)
    assert pauses[0] == FIRST_PAUSE
    assert LONGEST_PAUSE <= pauses[-1] <= LONGEST_PAUSE + 0.1


def test_after_a_quota_was_exhausted_fewer_calls_are_made_than_were_too_many_and_the_limit_comes_back():
    allowance = exhausted(made=300)
    allowance.accepted()

    assert allowance.level(1000) == 210
    assert allowance.ready_at(1001) == 1000 + WINDOW
    assert allowance.level(1000 + RECOVERY / 2) == 510
    assert allowance.level(1000 + RECOVERY) == 600


def test_a_quota_that_was_exhausted_when_we_had_used_nothing_leaves_us_a_little():
    allowance = exhausted(limit=600, made=0)
    allowance.accepted()

    assert 30 <= allowance.level(1000) <= 60


def test_without_a_limit_of_our_own_an_exhausted_quota_is_waited_for_too():
    allowance = exhausted(limit=0, made=0)
    assert allowance.ready_at(1000) == 1000 + FIRST_PAUSE
    allowance.accepted()
    assert allowance.ready_at(1000) == 1000


def task(name, *, since=0.0, until=FOREVER):
    return QueuedTask(name, since=since, until=until, expected=USUAL_CALLS)


def order(queue, now=0.0):
    found = []
    while first := queue.first(now):
        found.append(first.calls.popleft())
    return found


def test_a_task_makes_all_its_calls_before_the_next_one_begins():
    queue = FairQueue()
    ada, ben = task("ada", since=1), task("ben", since=2)
    for number in range(3):
        queue.add(ben, f"ben{number}")
        queue.add(ada, f"ada{number}")

    assert order(queue) == ["ada0", "ada1", "ada2", "ben0", "ben1", "ben2"]


def test_a_small_task_goes_before_a_large_one_that_was_there_a_little_earlier():
    queue = FairQueue()
    large, small = task("large", since=0), task("small", since=100)
    for number in range(500):
        queue.add(large, number)
    queue.add(small, "small")

    assert order(queue)[0] == "small"


def test_a_large_task_waits_for_no_small_one_that_came_much_later():
    """The steady arrival of small tasks uses up the quota, and the large one is done all the same."""
    queue = FairQueue()
    large = task("large", since=0)
    for number in range(500):
        queue.add(large, ("large", number))
    began = None
    for now in range(2000):
        queue.add(task(f"small{now}", since=now), ("small", now))
        name, _ = queue.first(now).calls.popleft()
        if name == "large" and began is None:
            began = now
    assert began == (500 - USUAL_CALLS) * SECONDS_PER_CALL


def test_a_message_that_comes_again_keeps_its_place():
    queue = FairQueue()
    queue.add(task("new", since=50), "new")
    queue.add(task("again", since=10), "again")

    assert order(queue) == ["again", "new"]


def test_an_account_that_may_make_no_call_does_not_hold_up_the_others():
    queue = FairQueue()
    first, second = task("first", since=0), task("second", since=1)
    queue.add(first, "first")
    queue.add(second, "second")
    assert queue.first(0) is first
    queue.set_first_aside(until=30)

    assert (order(queue, 0), queue.next_return()) == (["second"], 30)
    assert order(queue, 30) == ["first"]


def test_tasks_that_were_set_aside_can_be_called_back():
    queue = FairQueue()
    queue.add(task("first"), "first")
    queue.first(0)
    queue.set_first_aside(until=30)
    queue.call_back()

    assert order(queue, 0) == ["first"]


def test_a_task_that_waited_as_long_as_it_may_is_overdue_once():
    queue = FairQueue()
    patient, hasty = task("patient", until=100), task("hasty", until=10)
    queue.add(patient, 1)
    queue.add(hasty, 2)

    assert queue.next_end() == 10
    assert queue.overdue(9) == []
    assert queue.overdue(10) == [hasty]
    assert queue.overdue(10) == []


def test_one_instance_alone_may_use_everything():
    claims = claimed({}, "a", wanted=9000, total=5700, now=NOON)

    assert claims["a"].granted == 5700


def test_what_small_wishes_leave_is_divided_among_the_large_ones():
    claims, now = {}, NOON
    for _ in range(30):
        for name, wanted in {"a": 9000, "b": 100, "c": 9000}.items():
            claims = claimed(claims, name, wanted=wanted, total=5700, now=now)
        now += 10 * SECOND

    assert {name: claim.granted for name, claim in claims.items()} == {"a": 2800, "b": 100, "c": 2800}


def test_what_one_gives_up_is_free_a_minute_later_because_its_calls_still_count():
    claims = claimed({}, "a", wanted=9000, total=5700, now=NOON)
    claims = claimed(claims, "b", wanted=9000, total=5700, now=NOON + SECOND)
    assert claims["b"].granted == 0
    claims = claimed(claims, "a", wanted=9000, total=5700, now=NOON + 10 * SECOND)
    assert claims["a"].granted == 2850
    claims = claimed(claims, "b", wanted=9000, total=5700, now=NOON + 11 * SECOND)
    assert claims["b"].granted == 0
    claims = claimed(claims, "a", wanted=9000, total=5700, now=NOON + 35 * SECOND)
    claims = claimed(claims, "b", wanted=9000, total=5700, now=NOON + 10 * SECOND + MINUTE)
    assert claims["b"].granted == 2850


def test_the_claim_of_an_instance_that_ended_ends_too():
    claims = claimed({}, "a", wanted=9000, total=5700, now=NOON)
    claims = claimed(claims, "b", wanted=9000, total=5700, now=NOON + LEASE + MINUTE)

    assert {name: claim.granted for name, claim in claims.items()} == {"b": 5700}


def test_a_claim_that_was_given_back_is_forgotten_after_a_minute():
    claims = claimed({}, "a", wanted=100, total=5700, now=NOON)
    claims = claimed(claims, "a", wanted=0, total=5700, now=NOON + SECOND)
    assert claims["a"].counted(NOON + SECOND) == 100
    assert claimed(claims, "b", wanted=1, total=5700, now=NOON + SECOND + MINUTE).keys() == {"b"}


STEPS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9000), st.integers(0, 25)), min_size=1, max_size=40)


@given(STEPS)
def test_no_minute_grants_more_than_there_is(steps):
    """Each instance makes all calls that it was granted, at any moment of its claim."""
    claims, now, granted = {}, NOON, []
    current = {}
    for name, wanted, seconds in steps:
        now += seconds * SECOND
        claims = claimed(claims, name, wanted=wanted, total=5700, now=now)
        if name in current:
            granted.append((*current[name], min(now, current[name][2] + LEASE)))
        current[name] = (name, claims[name].granted if name in claims else 0, now)
    granted += [(*each, each[2] + LEASE) for each in current.values()]
    for moment in [begin for _, _, begin, _ in granted]:
        most = {}
        for name, number, begin, end in granted:
            if begin <= moment < end + MINUTE:
                most[name] = max(most.get(name, 0), number)
        assert sum(most.values()) <= 5700
