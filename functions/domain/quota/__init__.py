"""How a quota of calls is used: how many may be made now, whose turn it is, and how instances share it. Pure."""
