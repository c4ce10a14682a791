"""Erasing people: who is meant, whose names must not be stored again, and what is changed document by document."""
