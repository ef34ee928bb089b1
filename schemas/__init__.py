"""Data at rest: columns, evidence, configuration, failures and manifests."""
