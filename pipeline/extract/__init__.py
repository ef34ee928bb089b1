"""Bytes of a page become text and page signals, from one DOM parse. Never imports Beam."""
