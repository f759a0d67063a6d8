"""What networks share: how they are built, started from weights, planned for voxels, moved over volumes, and asked."""
