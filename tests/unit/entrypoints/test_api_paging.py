"""Page tokens."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from functions.domain.errors import InvalidRequest, ReadTooOld
from functions.entrypoints.api.lists.paging import _digest, next_token, paging
from functions.ports.views import Page

NOW = datetime(2026, 11, 23, 9, 0, 0, 123456, tzinfo=UTC)
START = datetime(2026, 11, 20, 8, tzinfo=UTC)
QUERY = {"list": "sessions", "teacher_email": "ada@school.example", "since": START, "until": None}


def a_token(**query):
    page = Page((), read_at=NOW, next_after=(START, "abc", "sessions/abc"))
    return next_token(page, query={**QUERY, **query})


def part(token, *, now=NOW, **query):
    return paging(token, size=10, query={**QUERY, **query}, now=now)


def test_a_token_goes_on_where_the_page_ended_at_the_same_moment():
    later = part(a_token(), now=NOW + timedelta(minutes=59))

    assert later.after == (START, "abc", "sessions/abc")
    assert (later.read_at, later.size) == (NOW, 10)


def test_a_list_in_the_order_of_changes_goes_on_where_the_page_ended():
    changes = {**QUERY, "updated_since": START}
    token = next_token(Page((), read_at=NOW, next_after=(START, "sessions/abc")), query=changes)

    assert part(token, updated_since=START).after == (START, "sessions/abc")


def test_a_token_of_one_order_is_refused_in_a_list_of_the_other():
    """Anybody can compute the digest, so the place itself must be possible in the list's order."""
    by_start = Page((), read_at=NOW, next_after=(START, "abc", "sessions/abc"))
    by_change = Page((), read_at=NOW, next_after=(START, "sessions/abc"))

    with pytest.raises(InvalidRequest):
        part(next_token(by_start, query={**QUERY, "updated_since": START}), updated_since=START)
    with pytest.raises(InvalidRequest):
        part(next_token(by_change, query=QUERY))


def test_the_last_page_has_no_token():
    assert next_token(Page((), read_at=NOW), query=QUERY) is None


def test_without_a_token_a_list_begins():
    assert part(None).after is None
    assert part("").read_at is None


def test_a_token_can_stand_in_a_url_and_holds_nothing_of_a_person():
    token = a_token()

    assert token.replace("-", "").replace("_", "").isalnum()
    assert b"school.example" not in base64.urlsafe_b64decode(token + "==")


def test_a_token_of_another_query_is_refused():
    with pytest.raises(InvalidRequest) as caught:
        part(a_token(), teacher_email="bob@school.example")

    assert [error.field for error in caught.value.errors] == ["page_token"]


def forged(change):
    content = json.loads(base64.urlsafe_b64decode(a_token() + "=="))
    change(content)
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "####",
        "Ä",
        a_token()[:-4],
        a_token() + "AAAA",
        base64.urlsafe_b64encode(b"null").decode(),
        base64.urlsafe_b64encode(b"[" * 3000).decode(),
        forged(lambda content: content.__setitem__(1, 5)),
        forged(lambda content: content.__setitem__(2, 10**30)),
        forged(lambda content: content.__setitem__(3, "other")),
        forged(lambda content: content.pop()),
    ],
)
def test_a_forged_token_is_refused(token):
    with pytest.raises(InvalidRequest):
        part(token)


@pytest.mark.parametrize(
    ("document_id", "path"),
    [("", ""), ("s1", ""), ("", "sessions/s1"), ("s1", "sessions"), ("s1", "sessions/"), ("__x__", "sessions/__x__")],
)
def test_a_token_with_a_place_that_no_document_has_is_refused_also_with_its_digest(document_id, path):
    """The method of the digest is not secret, and Firestore refuses such a place.

    The answer would be an internal error.
    """

    def move(content):
        content[3:] = [document_id, path]
        content[0] = _digest(content[1:], QUERY)

    with pytest.raises(InvalidRequest):
        part(forged(move))


def test_a_token_is_good_for_an_hour():
    part(a_token(), now=NOW + timedelta(hours=1))

    with pytest.raises(ReadTooOld):
        part(a_token(), now=NOW + timedelta(hours=1, seconds=1))
