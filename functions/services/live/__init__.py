"""Live presence: who is in a class's room while the class goes on."""
