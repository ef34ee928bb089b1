"""Main text by a forest over text blocks: features, the forest, the choice of blocks, their text, and training."""
