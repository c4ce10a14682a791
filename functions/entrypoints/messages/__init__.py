"""Pub/Sub messages: events from Google, and jobs."""
