"""What should be stored against what is stored: the writes of one commit. Pure."""
