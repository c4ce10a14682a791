"""Meet -> conferences -> attendance: the main job. Begin with `conference`."""
