"""Conferences as Google tells them: what Meet says, events, reports, and how far a reading is."""
