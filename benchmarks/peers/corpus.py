"""A corpus of real and generated texts with near copies at known edit rates. Deterministic for its arguments."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

# Shares of the corpus. Peers find that a third to two thirds of a crawl are copies.
REAL, GENERATED = 0.20, 0.35  # the rest are copies of either
# Share of words that a copy replaces, drops or doubles. Over word 5-grams: 0.02 gives a Jaccard similarity of about
# 0.82, 0.05 of about 0.63, 0.1 of about 0.42.
EDIT_RATES = (0.0, 0.001, 0.005, 0.01, 0.02, 0.035, 0.05, 0.1)
COPIES_EXPONENT, MOST_COPIES = 2.2, 300  # how many copies a copied text has: a power law
REAL_CHARACTERS = 6_000  # real texts are cut here, so that a few manuals are not most of the corpus
SMALLEST = 40  # characters
WORDS_MEAN, WORDS_SIGMA = 5.4, 0.7  # log-normal number of words of a generated text: median 221, mean 283
VOCABULARY = 50_000


@dataclass(frozen=True, slots=True)
class Corpus:
    """JSON lines with `id` and `text`, one file a worker, and what is in them."""

    files: tuple[str, ...]
    documents: int
    characters: int
    utf8_bytes: int
    real: int
    generated: int
    copies: int

    def plain(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self)


def open_text(path: Path) -> TextIO:
    """A text file, plain, gzip or xz."""
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf-8")
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def read_texts(paths: Sequence[Path]) -> Iterator[str]:
    """The distinct texts of JSON lines with `text`, in order, cut and without surrounding space."""
    seen: set[bytes] = set()
    for path in paths:
        with open_text(path) as lines:
            for line in lines:
                text = (json.loads(line).get("text") or "").strip()[:REAL_CHARACTERS]
                digest = hashlib.blake2b(text.encode(), digest_size=12).digest()
                if len(text) >= SMALLEST and digest not in seen:
                    seen.add(digest)
                    yield text


class Words:
    """Words of the real texts, drawn as often as they occur there."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = Counter(word for text in texts for word in re.findall(r"[a-z]{1,20}", text.lower()))
        common = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:VOCABULARY]
        if len(common) < 100:
            raise ValueError("the real texts hold fewer than 100 different Latin words; give more texts")
        self.words = np.array([word for word, _ in common], dtype=object)
        self._cumulative = np.cumsum([count for _, count in common], dtype=np.float64)

    def draw(self, random: np.random.Generator, count: int) -> list[str]:
        """`count` independent words."""
        places = np.searchsorted(self._cumulative, random.random(count) * self._cumulative[-1], side="right")
        return list(self.words[places])


def generate(words: Words, random: np.random.Generator) -> str:
    """A text of independent words in sentences and paragraphs: two of them share word 5-grams by accident only."""
    drawn = words.draw(random, max(8, int(random.lognormal(WORDS_MEAN, WORDS_SIGMA))))
    parts, start = [], 0
    while start < len(drawn):
        end = start + int(random.integers(5, 26))
        sentence = drawn[start:end]
        parts.append(sentence[0].capitalize() + " " + " ".join(sentence[1:]) + ".")
        start = end
    breaks = random.random(len(parts)) < 0.2
    return "".join(part + ("\n" if last else " ") for part, last in zip(parts, breaks, strict=True)).strip()


def edit(text: str, rate: float, words: Words, random: np.random.Generator) -> str:
    """A copy in which each word is replaced, dropped or doubled with probability `rate`."""
    if rate == 0:
        return text
    pieces = re.split(r"(\s+)", text)  # words at even places
    hits = np.flatnonzero(random.random((len(pieces) + 1) // 2) < rate)
    kinds, fresh = random.integers(0, 3, len(hits)), words.draw(random, len(hits))
    for hit, kind, word in zip(hits, kinds, fresh, strict=True):
        old = pieces[2 * hit]
        pieces[2 * hit] = word if kind == 0 else "" if kind == 1 else f"{old} {old}"
    edited = "".join(pieces).strip()
    return edited if len(edited) >= SMALLEST else text


def build_corpus(folder: Path, texts: Sequence[Path], documents: int, files: int = 2, seed: int = 1) -> Corpus:
    """Write the corpus, or take the one that is there.

    Raises:
        ValueError: no usable words in `texts`.
    """
    stamp = hashlib.sha256(
        json.dumps([[f"{p.resolve()}:{p.stat().st_size}" for p in texts], documents, files, seed, 1]).encode()
    ).hexdigest()[:12]
    target = folder / f"corpus-{documents}-{stamp}"
    if not (target / "corpus.json").exists():
        shutil.rmtree(target, ignore_errors=True)
        (target / "documents").mkdir(parents=True)
        made = _write(target / "documents", list(read_texts(texts)), documents, files, seed)
        (target / "corpus.json").write_text(json.dumps(made.plain()))
    values = json.loads((target / "corpus.json").read_text())
    return Corpus(**{**values, "files": tuple(values["files"])})


def _write(folder: Path, texts: list[str], documents: int, files: int, seed: int) -> Corpus:
    random = np.random.default_rng(seed)
    words = Words(texts)
    real = min(len(texts), round(REAL * documents))
    bases = [texts[i] for i in np.sort(random.permutation(len(texts))[:real])]
    generated = round(GENERATED * documents)
    bases += [generate(words, random) for _ in range(generated)]
    rows = [(f"{'r' if i < real else 'g'}{i:07d}", text) for i, text in enumerate(bases)]
    order = random.permutation(len(bases))
    for i in order.tolist() * (documents // max(1, len(bases)) + 1):
        left = documents - len(rows)
        if left <= 0:
            break
        copies = min(left, MOST_COPIES, int(random.zipf(COPIES_EXPONENT)))
        rates = random.choice(EDIT_RATES, copies)
        start = len(rows)
        rows += [(f"c{start + k:07d}-{i}-{r:g}", edit(bases[i], r, words, random)) for k, r in enumerate(rates)]
    rows = [rows[i] for i in random.permutation(len(rows))[:documents]]
    paths = []
    for number, part in enumerate(np.array_split(np.arange(len(rows)), files)):
        path = folder / f"{number:05d}.jsonl"
        with path.open("w", encoding="utf-8") as sink:
            for i in part:
                sink.write(json.dumps({"id": rows[i][0], "text": rows[i][1]}, ensure_ascii=False) + "\n")
        paths.append(str(path))
    return Corpus(
        tuple(paths),
        len(rows),
        sum(len(text) for _, text in rows),
        sum(len(text.encode()) for _, text in rows),
        sum(name.startswith("r") for name, _ in rows),
        sum(name.startswith("g") for name, _ in rows),
        sum(name.startswith("c") for name, _ in rows),
    )
