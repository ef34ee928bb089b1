"""Synthetic data where it helps: negation triplets, gaps and requests, and what a generator returned."""
