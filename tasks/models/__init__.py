"""Models, one file each, found by name: Settings, and build (a pipeline on features) or build_network (on pictures)."""
