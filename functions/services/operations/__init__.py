"""What keeps the system complete: jobs, reconciliation, parked messages, backfill, status."""
