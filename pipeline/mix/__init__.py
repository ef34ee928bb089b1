"""Training mixes: fresh human text and synthetic data, on purpose."""
