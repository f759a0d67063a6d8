"""What is broken in an image is mended: dead pixels, missing values, drifting slices."""
