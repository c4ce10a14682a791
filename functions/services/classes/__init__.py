"""Schedule classes, change them, and show them in Calendar."""
