"""Inputs become records: archives, splits of archives, offset tables and tables of text. Never imports Beam."""
