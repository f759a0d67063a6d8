"""An image in several sizes, each half the one before, and what can be found quickly on them."""
