"""Joined and left events: store what they said, and read again what a late one contradicts."""
