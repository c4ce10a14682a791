"""Use cases: one verb a module; every dependency is a keyword argument."""
