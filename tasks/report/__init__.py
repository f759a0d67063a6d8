"""Report: the page and tables that people read."""
