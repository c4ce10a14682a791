"""The functions that the cloud calls: they translate a request, call a use case, and answer. No decisions."""
