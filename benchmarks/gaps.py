"""Topics of documents beside their text, for reading: how often is the topic right?

    python benchmarks/gaps.py RUN --language deu --sample 100 [--half odd]

Prints a line a document: number, topic, host, title, and pieces of the text. Documents are drawn by the hash of their
id, two of a host at most, out of those whose id begins with an even or odd digit: word lists were tuned on the even
ones, and are judged by the odd ones. The last line says of how many documents a topic is named.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter

import pyarrow.parquet as pq
import xxhash

from detectors.features.tokens import tokenise
from detectors.features.url_key import host_of
from pipeline.synthesize.gaps_documents import find_files
from pipeline.synthesize.gaps_words import topics_of

COLUMNS = ["doc_id", "url", "title", "text", "language"]


def main() -> None:
    """Print the sample."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--language", default="eng")
    parser.add_argument("--sample", type=int, default=100)
    parser.add_argument("--half", choices=("even", "odd"), default="odd")
    parser.add_argument("--characters", type=int, default=90)
    options = parser.parse_args()
    rows = []
    for file in find_files([options.run]):
        for row in pq.read_table(file.path, columns=COLUMNS).to_pylist():
            if (row["language"] or "")[:3] == options.language:
                rows.append(row)
    rows.sort(key=lambda row: xxhash.xxh3_64_intdigest(row["doc_id"].encode()))
    topics = topics_of(tokenise([row["text"] for row in rows]), [options.language] * len(rows))
    shown: Counter[str | None] = Counter()
    number = 0
    for row, topic in zip(rows, topics, strict=True):
        host = host_of(row["url"])
        if topic is None or (int(row["doc_id"][0], 16) % 2 == 0) != (options.half == "even") or shown[host] == 2:
            continue
        shown[host] += 1
        number += 1
        if number > options.sample:
            break
        text = re.sub(r"\s+", " ", row["text"])
        middle = text[len(text) // 2 :]
        pieces = f"{text[: options.characters]} … {middle[: options.characters // 2]}"
        print(f"{number}. {topic} | {host} | {(row['title'] or '')[:60]} | {pieces}")
    known = sum(topic is not None for topic in topics)
    print(f"{options.language}: a topic is named of {known} of {len(rows)} documents")


if __name__ == "__main__":
    main()
