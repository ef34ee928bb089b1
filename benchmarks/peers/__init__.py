"""Parts of `benchmarks/peers.py`: inputs, environments, measurement, arms and the table."""
