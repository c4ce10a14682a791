"""Teachers: which are tracked, their subscriptions, and whose account a call may use."""
