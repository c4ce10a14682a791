"""Domain values <-> documents, one module for each kind. Pure."""
