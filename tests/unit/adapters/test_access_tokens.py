"""Access tokens: simultaneous callers share one fetch, tokens are kept until they end, refusals are not repeated."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from functions.adapters.consent.errors import ConsentRevoked, ConsentsUnavailable
from functions.adapters.google.credentials.access_tokens import AccessToken, TokenCredentials
from functions.adapters.google.credentials.capabilities import accepted
from functions.domain.errors import CredentialsUnavailable, TeacherNotAllowed

START = datetime(2026, 11, 23, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


class NotAccepted(Exception):
    """The error of a call whose token is not accepted."""


class Issuer:
    """Issues numbered tokens; `answers` are errors that come first."""

    def __init__(self, *answers):
        self.now = START
        self.given = 0
        self.answers = list(answers)
        self.asked = 0
        self.takes = timedelta(0)
        self.let_go = False
        self.credentials = TokenCredentials(self.fetch, allowed=self.allowed, now=lambda: self.now)

    async def allowed(self):
        await asyncio.sleep(0)
        self.asked += 1
        if self.let_go:
            raise TeacherNotAllowed("This system may not act for this teacher.")

    async def fetch(self):
        await asyncio.sleep(0)  # other callers get a turn
        self.given += 1
        self.now += self.takes
        if self.answers:
            raise self.answers.pop(0)
        return AccessToken(f"token-{self.given}", self.now + HOUR)

    async def bearer(self):
        ((name, value),) = await self.credentials.metadata()
        assert name == "authorization"
        return value


async def test_all_who_ask_at_once_get_one_token():
    issuer = Issuer()

    bearers = await asyncio.gather(*(issuer.bearer() for _ in range(50)))

    assert set(bearers) == {"Bearer token-1"}


async def test_a_token_is_kept_until_shortly_before_its_end():
    issuer = Issuer()
    await issuer.bearer()

    issuer.now = START + HOUR - timedelta(minutes=4, seconds=1)
    assert await issuer.bearer() == "Bearer token-1"
    issuer.now = START + HOUR - timedelta(minutes=4)
    assert await issuer.bearer() == "Bearer token-2"


async def test_a_refusal_answers_everybody_who_asks_at_once_and_is_asked_for_again_later():
    issuer = Issuer(ConsentRevoked("It is over."))

    outcomes = await asyncio.gather(*(issuer.bearer() for _ in range(50)), return_exceptions=True)

    assert {(type(outcome), outcome.message) for outcome in outcomes} == {(ConsentRevoked, "It is over.")}
    assert issuer.given == 1
    issuer.now += timedelta(seconds=11)
    assert await issuer.bearer() == "Bearer token-2"


async def test_what_did_not_answer_is_asked_again_at_once():
    issuer = Issuer(CredentialsUnavailable("Not now."))

    with pytest.raises(CredentialsUnavailable):
        await issuer.bearer()

    assert await issuer.bearer() == "Bearer token-2"


async def test_a_token_that_still_holds_is_used_while_no_new_one_can_be_fetched():
    issuer = Issuer()
    await issuer.bearer()
    issuer.answers = [CredentialsUnavailable("Not now."), CredentialsUnavailable("Nor now.")]

    issuer.now = START + HOUR - timedelta(minutes=3)
    assert [await issuer.bearer() for _ in range(3)] == ["Bearer token-1"] * 3
    assert issuer.given == 2
    issuer.now = START + HOUR
    with pytest.raises(CredentialsUnavailable):
        await issuer.bearer()


@pytest.mark.parametrize("kind", [CredentialsUnavailable, ConsentsUnavailable])
async def test_a_token_that_still_holds_is_used_also_after_waiting_long_for_a_new_one(kind):
    """This happens if the token endpoint, or the store of the consent, hangs until the time limit of each attempt."""
    issuer = Issuer()
    await issuer.bearer()
    issuer.now, issuer.takes = START + HOUR - timedelta(minutes=3), timedelta(seconds=12)
    issuer.answers = [kind("Not now."), kind("Nor now.")]

    assert await asyncio.gather(*(issuer.bearer() for _ in range(50))) == ["Bearer token-1"] * 50
    assert issuer.given == 2


async def test_a_late_refusal_answers_everybody_who_waited():
    issuer = Issuer(*[ConsentRevoked("It is over.")] * 3)
    issuer.takes = timedelta(seconds=12)

    outcomes = await asyncio.gather(*(issuer.bearer() for _ in range(3)), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [ConsentRevoked] * 3
    assert issuer.given == 1


async def test_a_token_that_was_not_accepted_is_not_used_again_while_no_new_one_can_be_fetched():
    issuer, service = Issuer(), Service("Bearer another")
    await issuer.bearer()
    issuer.now += timedelta(minutes=10)
    issuer.answers = [CredentialsUnavailable("Not now.")]

    with pytest.raises(CredentialsUnavailable):
        await accepted(issuer.credentials, service.call, unless=NotAccepted)

    assert service.calls == 1


async def test_a_teacher_who_is_removed_is_not_acted_for_after_a_minute_although_there_is_a_token():
    issuer = Issuer()
    await issuer.bearer()
    issuer.let_go = True

    issuer.now += timedelta(seconds=59)
    assert await issuer.bearer() == "Bearer token-1"
    issuer.now += timedelta(seconds=1)
    outcomes = await asyncio.gather(*(issuer.bearer() for _ in range(3)), return_exceptions=True)
    issuer.let_go = False
    again = await issuer.bearer()

    assert [type(outcome) for outcome in outcomes] == [TeacherNotAllowed] * 3
    assert (again, issuer.given) == ("Bearer token-1", 1)


async def test_whether_somebody_may_be_acted_for_is_asked_once_a_minute_for_all_who_call():
    issuer = Issuer()
    await issuer.bearer()
    issuer.now += timedelta(minutes=1)

    await asyncio.gather(*(issuer.bearer() for _ in range(50)))
    issuer.now += timedelta(seconds=59)
    await issuer.bearer()

    assert issuer.asked == 1


async def test_a_caller_who_stops_waiting_does_not_keep_others_from_the_token():
    issuer = Issuer()
    waiting = [asyncio.create_task(issuer.bearer()) for _ in range(3)]
    await asyncio.sleep(0)

    waiting[0].cancel()

    assert await asyncio.gather(*waiting[1:]) == ["Bearer token-1", "Bearer token-1"]


def test_no_token_is_shown_where_objects_are_printed():
    assert "secret" not in repr(AccessToken("secret", START))


class Service:
    """Accepts some tokens only."""

    def __init__(self, *good):
        self.good = good
        self.calls = 0

    async def call(self, metadata):
        self.calls += 1
        if metadata[0][1] not in self.good:
            raise NotAccepted
        return "answer"


async def test_a_call_whose_token_is_not_accepted_any_more_is_made_again_with_a_new_one():
    issuer, service = Issuer(), Service("Bearer token-2")
    await issuer.bearer()
    issuer.now += timedelta(minutes=10)

    assert await accepted(issuer.credentials, service.call, unless=NotAccepted) == "answer"
    assert (service.calls, issuer.given) == (2, 2)


async def test_a_token_that_was_fetched_just_now_and_is_not_accepted_is_not_fetched_again():
    issuer, service = Issuer(), Service()

    with pytest.raises(NotAccepted):
        await accepted(issuer.credentials, service.call, unless=NotAccepted)

    assert (service.calls, issuer.given) == (1, 1)


async def test_calls_whose_token_died_at_once_share_one_new_token():
    issuer, service = Issuer(), Service("Bearer token-2")
    await issuer.bearer()
    issuer.now += timedelta(minutes=10)

    answers = await asyncio.gather(*(accepted(issuer.credentials, service.call, unless=NotAccepted) for _ in range(20)))

    assert (answers, issuer.given) == (["answer"] * 20, 2)
