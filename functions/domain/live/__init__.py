"""Who is in a class's room now."""
