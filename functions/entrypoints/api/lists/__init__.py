"""Lists: their pages and their order."""
