"""Image operations as pure functions, one file each; shared by all stages."""
