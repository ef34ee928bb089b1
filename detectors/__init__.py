"""Pure functions from a batch of documents to scores and evidence. Never imports Beam."""
