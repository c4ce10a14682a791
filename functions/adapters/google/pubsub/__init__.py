"""Pub/Sub: publishes jobs and changes, and fetches dead letters."""
