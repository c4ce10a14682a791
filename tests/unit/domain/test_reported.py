"""Calls from reports: the result does not depend on order, repetition or parts."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.domain.classes.timetable import Room, Span
from functions.domain.conferences.model import AnonymousUser, DeviceUser, EmailUser, PhoneUser, Space
from functions.domain.conferences.reported import Endpoint, after_report, conferences_of
from functions.domain.intervals import Interval, covered
from tests.builders import at, during

ROOM = Space("spaces/room", "abc-mnop-xyz", None)
PEOPLE: list[Any] = [
    EmailUser("ada@school.example", "users/2", "Ada"),
    EmailUser("ada@school.example", "users/2", "Ada L."),
    EmailUser("bob@school.example", None, "Bob"),
    AnonymousUser("Ada"),
    PhoneUser("+49 ••• 12"),
    DeviceUser("Room 1"),
]


def endpoint(user=PEOPLE[0], *, key="e1", left=30.0, minutes=10.0, conference_id="c1", **fields):
    return Endpoint(conference_id, "abc-mnop-xyz", key, user, at(left), timedelta(minutes=minutes), **fields)


@st.composite
def rows(draw, endpoints="e"):
    """Draw rows of a few calls; a person who leaves twice has a different endpoint each time."""
    found = []
    for number in range(draw(st.integers(1, 12))):
        user = draw(st.sampled_from(PEOPLE))
        found.append(
            endpoint(
                user,
                key=f"{endpoints}{number}",
                left=draw(st.integers(0, 100)),
                minutes=draw(st.integers(0, 60)),
                conference_id=draw(st.sampled_from(["c1", "c2"])),
                device_id="d1" if isinstance(user, DeviceUser) else None,
            )
        )
    return found


@given(rows(), st.data())
def test_order_and_repetition_change_nothing(told, data):
    shuffled = data.draw(st.permutations([*told, *told[:3]]))

    assert conferences_of(shuffled) == conferences_of(told)


@given(rows(), st.data())
def test_what_comes_in_parts_and_in_any_order_is_what_comes_at_once(told, data):
    cut = data.draw(st.integers(0, len(told)))
    shuffled = data.draw(st.permutations(told))
    parts = [conferences_of(shuffled[:cut]), conferences_of(shuffled[cut:]), conferences_of(shuffled[:cut])]
    stored = {}
    for part in parts:
        for reported in part:
            before = stored.get(reported.conference_record)
            stored[reported.conference_record] = after_report(before, reported, space=ROOM, pulled_at=at(200))
    whole = {one.conference_record: one for one in conferences_of(told)}

    assert {name: one.snapshot.participants for name, one in stored.items()} == {
        name: one.participants for name, one in whole.items()
    }
    for name, one in stored.items():
        assert (one.snapshot.record.start_time, one.snapshot.record.end_time) == (
            whole[name].time.start,
            whole[name].time.end,
        )


@given(rows(), rows(endpoints="later"))
def test_nobodys_time_ever_becomes_shorter(earlier, later):
    before, everything = conferences_of(earlier), conferences_of([*earlier, *later])
    longer = {p.name: time_of(p) for one in everything for p in one.participants}

    for participant in (p for one in before for p in one.participants):
        assert longer[participant.name] >= time_of(participant)


def time_of(participant):
    return covered(Interval(session.start_time, session.end_time) for session in participant.sessions)


def test_one_person_with_several_endpoints_is_one_participant_and_unknown_ones_are_not():
    ada = [endpoint(key="e1"), endpoint(PEOPLE[1], key="e2", left=50)]
    strangers = [endpoint(AnonymousUser("Ada"), key="e3"), endpoint(AnonymousUser("Ada"), key="e4")]
    [call] = conferences_of([*ada, *strangers])

    assert sorted(len(p.sessions) for p in call.participants) == [1, 1, 2]
    assert [p.user.user for p in call.participants if len(p.sessions) == 2] == ["users/2"]


def test_an_account_on_which_rows_disagree_is_unknown():
    other = dataclasses.replace(PEOPLE[0], user="users/3")
    [call] = conferences_of([endpoint(), endpoint(other, key="e2")])

    assert [p.user.user for p in call.participants] == [None]


@pytest.mark.parametrize("conference_id", ["../../etc", "a/b", "", " ", "x" * 200, "é", "\ud800"])
def test_an_id_that_no_document_could_have_is_hashed(conference_id):
    name = endpoint(conference_id=conference_id).conference_record

    assert name.startswith("conferenceRecords/reports-")
    assert name.removeprefix("conferenceRecords/reports-").isalnum()
    assert "ada" not in str([p.name for p in conferences_of([endpoint()])[0].participants])


# --- Which of two calls counts -------------------------------------------------------------------------------------

MEET, REPORT = "conferenceRecords/abc", "conferenceRecords/reports-c1"


def room(*spans):
    found = Room("spaces/room")
    for span in spans:
        found = found.with_span(span)
    return found


def superseded(*spans):
    found = room(*spans)
    return [found.superseding(span) for span in found.reported_spans()]


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (during(0, 60), MEET),
        (during(59, 90), MEET),
        (during(30, 30), MEET),
        (during(60, 90), None),
        (during(60 - 0.9 / 60, 90), None),
        (during(60 - 1.1 / 60, 90), MEET),
        (during(-30, 0.9 / 60), None),
        (during(-30, -1), None),
    ],
)
def test_meet_wins_where_both_show_one_call_beyond_the_seconds_that_reports_lose(time, expected):
    assert superseded(Span(MEET, during(0, 60)), Span(REPORT, time)) == [expected]


def test_a_call_that_meet_only_listed_is_replaced_by_reports():
    listed = room(Span(MEET, during(0, 60), read=False), Span(REPORT, during(0, 60)))

    assert [listed.superseding(span) for span in listed.reported_spans()] == [None]
    assert listed.stood_in_for([MEET, "conferenceRecords/other"]) == {MEET}
    assert listed.with_span(Span(MEET, during(0, 60))).stood_in_for([MEET]) == frozenset()


@given(st.permutations([Span(MEET, during(0, 60)), Span(REPORT, during(1, 60)), Span(f"{MEET}2", during(61, 70))]))
def test_which_call_counts_does_not_depend_on_which_was_known_first(spans):
    rooms = [room(*spans[: n + 1]) for n in range(len(spans))]

    assert [rooms[-1].superseding(span) for span in rooms[-1].reported_spans()] == [MEET]
    assert all(len(one.spans) < len(other.spans) for one, other in pairwise(rooms))
