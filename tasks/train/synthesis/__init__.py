"""Synthesis: a generator and a discriminator trained against each other, and what the generator's images are worth."""
