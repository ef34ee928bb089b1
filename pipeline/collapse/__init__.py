"""Generations of models trained on their own output: simulated, and compared with theory."""
