"""The grid of an image: cut, turned, resampled; and the image warped."""
