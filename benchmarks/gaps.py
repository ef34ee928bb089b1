"""Topics of documents beside their text, for reading: how often is the topic right?

    python benchmarks/gaps.py RUN --language deu --sample 100 [--half odd]
    python benchmarks/gaps.py ntrex128.tsv.xz --language deu

Prints a line a document: number, topic, host, title, and pieces of the text. Documents are drawn by the hash of their
id, two of a host at most, out of those whose id begins with an even or odd digit: word lists were tuned on the even
ones, and are judged by the odd ones. The last line says of how many documents a topic is named. The second form is for NTREX-128 as a table of
language, role, line, document and text: the same 123 news articles in every language, beside their English beginning.
"""

from __future__ import annotations

import argparse
import lzma
import re
from collections import Counter, defaultdict

import pyarrow.parquet as pq
import xxhash

from detectors.features.tokens import tokenise
from detectors.features.url_key import host_of
from pipeline.synthesize.gaps_documents import find_files
from pipeline.synthesize.gaps_words import topics_of

COLUMNS = ["doc_id", "url", "title", "text", "language"]


def print_articles(path: str, language: str, characters: int) -> None:
    """Topics of the articles of NTREX-128 in a language."""
    parts: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            code, role, number, document, text = line.rstrip("\n").split("\t")
            if code in (language, "eng") and role in ("src", "ref"):
                parts[code, document].append((int(number), text))
    names = sorted(document for code, document in parts if code == language)
    texts = ["\n".join(text for _, text in sorted(parts[language, name])) for name in names]
    topics = topics_of(tokenise(texts), [language] * len(texts))
    for number, (name, topic) in enumerate(zip(names, topics, strict=True), 1):
        if topic is not None:
            begin = " // ".join(text for _, text in sorted(parts["eng", name])[:2])
            print(f"{number}. {topic} | {begin[: 2 * characters]}")
    print(f"{language}: a topic is named of {sum(t is not None for t in topics)} of {len(topics)} articles")


def main() -> None:
    """Print the sample."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--language", default="eng")
    parser.add_argument("--sample", type=int, default=100)
    parser.add_argument("--half", choices=("even", "odd"), default="odd")
    parser.add_argument("--characters", type=int, default=90)
    options = parser.parse_args()
    if options.run.endswith(".tsv.xz"):
        print_articles(options.run, options.language, options.characters)
        return
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
