"""The Admin SDK Reports API: Google's own log of calls."""
