"""What the use cases need from the world, in our words. Adapters implement it; no other code knows how."""
