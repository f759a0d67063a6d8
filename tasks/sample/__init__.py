"""Sample: where in the image to look."""
