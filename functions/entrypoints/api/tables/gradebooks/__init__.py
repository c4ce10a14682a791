"""Files that other programs import: Moodle's attendance plugin, and any gradebook."""
