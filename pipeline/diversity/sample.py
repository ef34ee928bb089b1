"""A bounded sample of a corpus from which its diversity is measured: small, mergeable, the same in any order.

Of each language the documents with the smallest hashes of their ids are kept, up to a number of words (bottom-k, Cohen
& Kaplan 2007): what a sample holds follows from the documents alone, not from their order or from how they were split.
The documents of the whole corpus that have the smallest hashes are among them, in the corpus' own shares of languages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from detectors.features.tokens import KIND_WORD, Tokens, tokenise
from detectors.language_codes import language_of_tag
from pipeline.runs import RunError

WORDS = 300_000  # words of a language in a sample: about 2 MB
DOCUMENT_WORDS = 2_000  # words of a document that count: one book must not be a language
DOCUMENT_CHARACTERS = 1 << 16  # characters that are read for that, and for the length
UNKNOWN = "und"
NO_BOUND = (1 << 64) - 1

SAMPLE = pa.schema(
    [
        ("language", pa.string()),
        ("key", pa.uint64()),  # hash of the document's id; documents are in its order
        ("digest", pa.uint64()),  # of all else, so that the order is total
        ("unit", pa.uint64()),  # what must not be on both sides of a split: host, else cluster, else document
        ("host", pa.uint64()),  # 0 where there is none
        ("page_type", pa.string()),
        ("words", pa.int32()),  # in the characters that are read
        ("kept", pa.int32()),  # words of `text`
        ("copies", pa.int32()),
        ("text", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows of SAMPLE by (language, key), and how many documents of each language there are in all."""

    words: int  # bound by language
    documents: Mapping[str, int]
    rows: pa.Table

    def merge(self, *others: Sample) -> Sample:
        """The sample of all corpora together.

        Raises:
            RunError: samples of different bounds.
        """
        return merge((self, *others))

    def bounds(self) -> dict[str, int]:
        """Largest key by language that may still enter the sample."""
        found: dict[str, int] = {}
        languages, keys = self.rows.column("language").to_pylist(), self.rows.column("key").to_pylist()
        totals: Counter[str] = Counter()
        for language, key, size in zip(languages, keys, _sizes(self.rows).tolist(), strict=True):
            totals[language] += size
            if totals[language] >= self.words:
                found[language] = key
        return found

    def all_languages(self) -> pa.Table:
        """The documents with the smallest keys of the whole corpus, up to the bound."""
        rows = self.rows.sort_by([("key", "ascending"), ("language", "ascending"), ("digest", "ascending")])
        sizes = _sizes(rows)
        return rows.filter(pa.array(np.cumsum(sizes) - sizes < self.words))


def empty(words: int = WORDS) -> Sample:
    """The sample of nothing."""
    return Sample(words, {}, SAMPLE.empty_table())


def measure(
    doc_ids: Sequence[str | None],
    texts: Sequence[str | None],
    *,
    hosts: Sequence[str | int | None] | None = None,
    languages: Sequence[str | None] | None = None,
    page_types: Sequence[str | None] | None = None,
    clusters: Sequence[str | None] | None = None,
    copies: Sequence[int] | None = None,
    words: int = WORDS,
    within: Sample | None = None,
) -> Sample:
    """Sample of documents, each a row of the sequences.

    A document without an id goes by its text. `hosts` are names, or hashes with 0 for none; `languages` codes or tags
    (`eng_Latn`, `de-AT`); `copies` how often a document counts (0: not at all), so that repetition shows as it is.
    `within` is a sample that the result will be merged into: what cannot enter that is only counted, which is fast.
    """
    rows = len(texts)
    strata = [(language_of_tag(one) or UNKNOWN) if one else UNKNOWN for one in languages or [None] * rows]
    times = [1] * rows if copies is None else [int(one) for one in copies]
    bounds = within.bounds() if within is not None else {}
    keys = [hash_of(name if name else text or "") for name, text in zip(doc_ids, texts, strict=True)]
    chosen = [
        row for row in range(rows) if times[row] > 0 and texts[row] and keys[row] <= bounds.get(strata[row], NO_BOUND)
    ]
    heads = [(texts[row] or "")[:DOCUMENT_CHARACTERS] for row in chosen]
    counts, cut = _cut(heads, tokenise(heads))
    found: dict[str, list[Any]] = {name: [] for name in SAMPLE.names}
    for text, count, row in zip(cut, counts, chosen, strict=True):
        if not count:
            continue
        host = _host(hosts[row] if hosts is not None else None)
        cluster = clusters[row] if clusters is not None else None
        page_type = page_types[row] if page_types is not None else None
        known = f"{text}\x00{host}\x00{cluster}\x00{page_type}\x00{count}\x00{times[row]}"
        values = (
            strata[row], keys[row], hash_of(known), host or (hash_of(cluster) if cluster else keys[row]), host, page_type,
            count, min(count, DOCUMENT_WORDS), times[row], text,
        )  # fmt: skip
        for name, value in zip(SAMPLE.names, values, strict=True):
            found[name].append(value)
    totals = Counter(strata[row] for row in range(rows) for _ in range(times[row]))
    return Sample(words, dict(sorted(totals.items())), _bounded(pa.table(found, schema=SAMPLE), words))


def merge(samples: Iterable[Sample]) -> Sample:
    """The sample of all corpora together; of none, the empty one.

    Raises:
        RunError: samples of different bounds.
    """
    parts = list(samples)
    if not parts:
        return empty()
    if len({part.words for part in parts}) > 1:
        raise RunError("samples of different sizes cannot be merged; measure them with the same number of words")
    totals: Counter[str] = Counter()
    for part in parts:
        totals.update(part.documents)
    rows = _bounded(pa.concat_tables([part.rows for part in parts]), parts[0].words)
    return Sample(parts[0].words, dict(sorted(totals.items())), rows)


def _bounded(rows: pa.Table, words: int) -> pa.Table:
    """Of each language the rows with the smallest keys until `words` are reached, in order."""
    rows = rows.sort_by([("language", "ascending"), ("key", "ascending"), ("digest", "ascending")]).combine_chunks()
    if not rows.num_rows:
        return rows
    sizes = _sizes(rows)
    before = np.cumsum(sizes) - sizes
    codes = np.asarray(rows.column("language").combine_chunks().dictionary_encode().indices)
    first = np.flatnonzero(np.diff(codes, prepend=-1))  # of each language
    before -= before[first][np.cumsum(np.diff(codes, prepend=-1) != 0) - 1]
    return rows.filter(pa.array(before < words)).combine_chunks()


def _sizes(rows: pa.Table) -> npt.NDArray[np.int64]:
    kept, copies = (np.asarray(rows.column(name)).astype(np.int64) for name in ("kept", "copies"))
    return kept * copies


def _cut(texts: Sequence[str], tokens: Tokens) -> tuple[list[int], list[str]]:
    """Words of each text, and the text up to its word number DOCUMENT_WORDS."""
    counts: list[int] = tokens.word_counts().tolist()
    cut = list(texts)
    for doc, count in enumerate(counts):
        if count > DOCUMENT_WORDS:
            begin, end = tokens.doc_token[doc], tokens.doc_token[doc + 1]
            last = np.flatnonzero(tokens.kind[begin:end] & KIND_WORD)[DOCUMENT_WORDS - 1]
            cut[doc] = texts[doc][: int(tokens.end[begin + last] - tokens.doc_start[doc])]
    return counts, [text.encode("utf-8", "replace").decode() if not text.isascii() else text for text in cut]


def hash_of(text: str) -> int:
    """Key of a document by its id: documents with the smallest are in the sample."""
    return int(xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass")))


def _host(host: str | int | None) -> int:
    return host if isinstance(host, int) else hash_of(host) if host else 0
