"""What one process remembers does not grow without end."""

from functions.domain.recent import Recent


def test_what_was_set_longest_ago_is_forgotten_first():
    known = Recent[int](2)
    known["a"], known["b"] = 1, 2
    known["a"] = 3
    known["c"] = 4

    assert dict(known) == {"a": 3, "c": 4}
