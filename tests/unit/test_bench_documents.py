"""The benchmark compares the documents of two reads."""

from datetime import UTC, datetime

from google.cloud.firestore_v1 import types

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
