"""Diversity and tails of a corpus against a reference of human text."""
