"""The rules of attendance: pure functions over plain values; the standard library only."""
