"""Pub/Sub: jobs to publish, dead letters to take."""
