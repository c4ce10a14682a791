"""Conferences as Google reports them: data from Meet, events, reports, and the state of reading."""
