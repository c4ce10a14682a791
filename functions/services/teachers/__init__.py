"""Teachers: which are tracked, their subscriptions, and which account a call may use."""
