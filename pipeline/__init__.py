"""Beam and the command line: reading, annotation, deduplication, decisions, writing."""
