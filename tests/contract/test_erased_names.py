"""The names that must not be stored again: each instance knows a new name from its next unit of work on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from functions.adapters.store.erasing.names import ErasedNames
from functions.domain.erasure import KEPT, NOBODY, Name, NameKind
from functions.domain.errors import ErasureNotSetUp
from infra.local.clock import TurnableClock

KEY = b"a key that only the system has"
ADA, BOB = Name(NameKind.STUDENT_ID, "4711"), Name.of(NameKind.EMAIL, "bob@school.example")


@pytest.fixture
def clock():
    return TurnableClock(datetime(2026, 11, 27, tzinfo=UTC))


async def test_a_name_is_known_to_every_instance_at_once(database, clock):
    one, other = (ErasedNames(database, KEY, clock=clock) for _ in range(2))
    assert await other.load() is NOBODY

    await database.commit([one.write(ADA, "a")])
    assert (await other.load()).token(ADA) == "a"
    await database.commit([one.write(BOB, "b")])
    erased = await other.load()

    assert (erased.token(ADA), erased.token(BOB)) == ("a", "b")
    assert await other.load() is erased
    assert await other.token(BOB) == "b"


async def test_a_name_is_forgotten_after_half_a_year(database, clock):
    names = ErasedNames(database, KEY, clock=clock)
    await database.commit([names.write(ADA, "a")])
    clock.turn(KEPT - timedelta(seconds=1))
    assert (await names.load()).token(ADA) == "a"

    clock.turn(timedelta(seconds=1))

    assert (await names.load()).token(ADA) is None


async def test_nothing_is_stored_without_the_key_once_somebody_is_erased(database, clock):
    keyless = ErasedNames(database, None, clock=clock, is_required=True)
    assert await keyless.load() is NOBODY

    await database.commit([ErasedNames(database, KEY, clock=clock).write(ADA, "a")])

    with pytest.raises(ErasureNotSetUp, match="ERASURE_KEY"):
        await keyless.load()


async def test_another_key_than_the_one_with_which_somebody_was_erased_is_refused(database, clock):
    """With another key, nobody would be recognised, and all erased people would be stored again."""
    await database.commit([ErasedNames(database, KEY, clock=clock).write(ADA, "a")])
    other = ErasedNames(database, b"another key", clock=clock)

    for _ in range(2):
        with pytest.raises(ErasureNotSetUp, match="ERASURE_KEY"):
            await other.load()
    clock.turn(KEPT)

    assert await other.load() is NOBODY


async def test_an_erased_name_that_now_belongs_to_another_person_is_known_as_erased(database, clock):
    names = ErasedNames(database, KEY, clock=clock)
    await database.commit([names.write(BOB, "b")])
    assert (await names.load()).token(BOB) == "b"

    await database.commit([names.freed(BOB)])

    assert (await names.load()).token(BOB) is None
    assert (await names.is_freed(BOB), await names.is_freed(ADA)) == (True, False)
