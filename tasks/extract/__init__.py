"""Extract: numbers about each candidate region."""
