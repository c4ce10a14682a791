"""What the use cases need from the world, in our words. Adapters fulfil it; nobody else knows how."""
