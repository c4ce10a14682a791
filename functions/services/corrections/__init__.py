"""What people decide about a class meeting: marks, guests, rosters, records."""
