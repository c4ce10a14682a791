"""Tokens: the process's own, by delegation, by consent; and those that callers send."""
