"""Compares what should be stored with what is stored: the writes of one commit. Pure."""
