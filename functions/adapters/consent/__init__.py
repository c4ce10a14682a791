"""A teacher's own consent: how it is asked for and where it is stored."""
