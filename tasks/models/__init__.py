"""Models, one file each: Settings and build; found by name."""
