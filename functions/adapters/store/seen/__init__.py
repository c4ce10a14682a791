"""What joined and left events said about conferences."""
