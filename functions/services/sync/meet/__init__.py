"""Ask Meet, and hold what it said until one commit stores it. Nothing is written here but what an error would lose."""
