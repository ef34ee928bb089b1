"""Text models: canonical text, stylometry, hashed n-grams, and the members that score them."""
