"""The chains, each readable on one page, and the command line."""
