"""The Google Meet REST API, by its official client."""
