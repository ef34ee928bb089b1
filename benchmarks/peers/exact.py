"""Exact word 5-gram similarity, the yardstick of the comparison of duplicates."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

WORD = re.compile(r"\w+")


def shingles(text: str, size: int = 5) -> set[bytes]:
    """The word 5-grams of a text, folded to lower case; a shorter text is one shingle."""
    words = WORD.findall(text.lower())
    if not words:
        return set()
    return {" ".join(words[i : i + size]).encode() for i in range(max(1, len(words) - size + 1))}


def jaccard(first: set[bytes], second: set[bytes]) -> float:
    """Jaccard similarity; two empty sets are alike."""
    union = len(first | second)
    return len(first & second) / union if union else 1.0


def read_documents(folder: Path) -> Iterator[tuple[str, str]]:
    """(id, text) of every line of every file of JSON lines in a folder."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                yield row["id"], row["text"]
