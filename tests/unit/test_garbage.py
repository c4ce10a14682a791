"""The garbage collector while an instance starts."""

import gc

import pytest

from functions import garbage


@pytest.fixture(autouse=True)
def the_usual_collector():
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.enable()
    gc.set_threshold(*thresholds)


def test_no_garbage_is_looked_for_meanwhile_nor_in_what_was_made():
    before = gc.get_freeze_count()

    with garbage.kept():
        assert not gc.isenabled()
        made = [[] for _ in range(1000)]

    assert gc.isenabled()
    assert gc.get_freeze_count() - before >= len(made)


def test_garbage_is_looked_for_again_after_an_error():
    with pytest.raises(LookupError), garbage.kept():
        raise LookupError

    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()

    with garbage.kept():
        pass

    assert not gc.isenabled()


def test_garbage_is_looked_for_seldom():
    garbage.collect_seldom()

    assert gc.get_threshold()[0] > 10_000
