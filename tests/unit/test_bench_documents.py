"""The benchmark compares the documents of two reads, and counts calls to Firestore."""

from datetime import UTC, datetime

from google.cloud.firestore_v1 import types

from bench.charged import Trip, one_after_the_other
from bench.conference.documents import differing

NINE, TEN = datetime(2026, 11, 23, 9, tzinfo=UTC), datetime(2026, 11, 23, 10, tzinfo=UTC)


def document(name, *, at=NINE, mark="present", sessions=(NINE,)):
    sync = types.Value(map_value=types.MapValue(fields={"pulled_at": types.Value(timestamp_value=at)}))
    fields = {
        "mark": types.Value(string_value=mark),
        "updated_at": types.Value(timestamp_value=at),
        "sync": sync,
        "sessions": types.Value(
            array_value=types.ArrayValue(values=[types.Value(timestamp_value=start) for start in sessions])
        ),
    }
    return types.Document.pb(types.Document(name=name, fields=fields))


def test_when_a_conference_was_read_is_no_difference():
    assert differing({"a": document("a")}, {"a": document("a", at=TEN)}) == []


def test_what_is_known_about_people_is_compared_and_what_one_of_the_two_lacks():
    one = {"a": document("a"), "b": document("b"), "c": document("c"), "d": document("d")}
    other = {"a": document("a"), "b": document("b", mark="absent"), "c": document("c", sessions=(TEN,))}

    assert differing(one, other) == ["b", "c", "d"]


def test_calls_one_after_the_other_are_the_longest_chain_without_overlap():
    long, first, second, third = Trip("long", 0, 9), Trip("a", 1, 2), Trip("b", 3, 4), Trip("c", 5, 6)

    assert one_after_the_other([third, long, first, second, Trip("d", 3.5, 4.5)]) == [first, second, third]
    assert one_after_the_other([]) == []
