"""From people to marks: which account a participant is, for how long, and which mark that gives."""
