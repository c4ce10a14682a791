"""Conferences as Google reports them: data from Meet, events, reports, and how much has been read."""
