"""From people to marks: which person a participant is, how long the person was there, and which mark follows."""
