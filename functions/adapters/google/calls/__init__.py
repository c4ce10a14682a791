"""How any call to Google is made: repeated, paced, bounded in time, and its errors named."""
