"""Ingest: from what scanners send to volumes with exact geometry."""
