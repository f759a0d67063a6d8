"""The commands of ``lesionflow``, one file for each kind."""
