"""Copies of parents among synthetic rows: which are found, and which genuine rewrites are taken for copies.

    python benchmarks/parent_copies.py DATA [--folder WORK] [--workers 2] [--languages FILE.jsonl.xz]

DATA holds `detectrl_clean`, `detectrl_human_machine_edited` and `outfox_essays` (JSONL.xz with id, text, label,
generator, attack, pair_id): human texts, the same after a paraphraser (DIPPER), translation there and back, and a
polishing model, and essays of models with their paraphrases by DIPPER.

The originals are curated as a run, without rules of quality. Of the human texts that nothing else is made of, copies of
nine kinds are planted, one kind a text; the rewrites declare the texts that they were made of. DetectRL does not say
which those are: the human text with the largest cosine of word weights, where it is far before the second, is taken.
Everything then goes through `headwater synthesize ingest`. Printed is what was refused by kind, and what it would be at
other thresholds of containment. With `--languages` (rows of `lang` and `text`, sentences): of texts of three sentences
each, which are refused as `wrong_language` where the right language is declared, and where another one is.
"""

from __future__ import annotations

import argparse
import json
import lzma
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from detectors.language_codes import language_of_tag, same_language
from pipeline.synthesize.ingest_judge import is_wrong_language
from pipeline.synthesize.lineage_parents import Sketcher
from schemas.config import CurateConfig

Row = dict[str, Any]
COMMAND = (
    "from pipeline.cli import cli, main; from pipeline.synthesize.ingest_command import ingest;"
    "cli.add_command(ingest, 'ingest'); main()"
)
FEWEST_WORDS = 60  # of an original
PLANTED = 200  # of each kind
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
CLEAR = (0.3, 1.5)  # cosine of an original, and how many times the second best it is


def read(path: Path) -> Iterator[Row]:
    """Rows of a JSONL.xz file."""
    with lzma.open(path, "rt", encoding="utf-8") as handle:
        for line in handle:
            yield json.loads(line)


def headwater(*arguments: object) -> None:
    """Run the command; its messages go to standard error."""
    subprocess.run([sys.executable, "-c", COMMAND, *map(str, arguments)], check=True)


def originals_of(texts: Sequence[str], originals: Sequence[Row]) -> list[str | None]:
    """The id of the original of each text, where one is clearly before all others."""
    vocabulary: dict[str, int] = {}

    def counts(all_texts: Sequence[str]) -> Any:
        rows, columns = [], []
        for number, text in enumerate(all_texts):
            for word in set(re.findall(r"\w{4,}", text.lower())):
                rows.append(number)
                columns.append(vocabulary.setdefault(word, len(vocabulary)))
        return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(all_texts), 1_000_000))

    known, asked = counts([row["text"] for row in originals]), counts(texts)
    weight = np.log((1 + known.shape[0]) / (1 + np.asarray(known.sum(axis=0)).ravel()))
    vectors = []
    for matrix in (known, asked):
        weighted = matrix @ sparse.diags(weight)
        norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        vectors.append(sparse.diags(1 / np.maximum(norms, 1e-9)) @ weighted)
    found: list[str | None] = []
    for begin in range(0, len(texts), 500):
        cosines = (vectors[1][begin : begin + 500] @ vectors[0].T).toarray()
        order = np.argsort(cosines, axis=1)[:, -2:]
        for row, (second, first) in zip(cosines, order, strict=True):
            clear = row[first] >= CLEAR[0] and row[first] >= CLEAR[1] * row[second]
            found.append(originals[first]["id"] if clear else None)
    return found


def replace_words(text: str, share: float, pool: Sequence[str], rng: random.Random) -> str:
    """The text with a share of its words replaced by words of other texts."""
    return "".join(
        rng.choice(pool) if part.strip() and rng.random() < share else part for part in re.split(r"(\s+)", text)
    )


def planted(humans: Sequence[Row], rng: random.Random) -> Iterator[Row]:
    """Copies of nine kinds; each of another text."""
    pool = [word for row in humans[:500] for word in row["text"].split()]
    taken = iter(humans)

    def words(row: Row) -> list[str]:
        return str(row["text"]).split()

    def shuffled(text: str) -> str:
        sentences = re.split(r"(?<=[.!?])\s+", text)
        rng.shuffle(sentences)
        return " ".join(sentences)

    makers: dict[str, Callable[[Row], str]] = {
        "exact": lambda row: row["text"],
        "case and spaces": lambda row: " \n ".join(row["text"].upper().split(" ")),
        "first half": lambda row: " ".join(words(row)[: len(words(row)) // 2]),
        "ten words": lambda row: " ".join(words(row)[20:30]),
        "5 % of words replaced": lambda row: replace_words(row["text"], 0.05, pool, rng),
        "10 % of words replaced": lambda row: replace_words(row["text"], 0.1, pool, rng),
        "20 % of words replaced": lambda row: replace_words(row["text"], 0.2, pool, rng),
        "sentences reordered": lambda row: shuffled(row["text"]),
        "copy of another real text": lambda row: next(taken)["text"],
    }
    for kind, make in makers.items():
        for _ in range(PLANTED):
            row = next(taken)
            yield {"kind": kind, "text": make(row), "parents": [row["id"]]}
    for number in range(PLANTED):  # what nobody else wrote, twice
        text = " ".join(rng.choice(pool) for _ in range(120))
        yield {"kind": "copy of another row, original", "text": text, "parents": []}
        if number % 2:
            yield {"kind": "copy of another row", "text": text.title(), "parents": []}


def rewrites(data: Path, humans: Sequence[Row]) -> Iterator[Row]:
    """Rewrites with the text that they were made of."""
    edited = list(read(data / "detectrl_human_machine_edited.jsonl.xz"))
    for row, original in zip(edited, originals_of([row["text"] for row in edited], humans), strict=True):
        if original is not None:
            yield {"kind": f"human text, {row['attack']}", "text": row["text"], "parents": [original]}
    for row in read(data / "outfox_essays.jsonl.xz"):
        if row.get("attack") == "dipper_paraphrase":
            name = f"{row['pair_id']}/{row['generator'].split('+')[0]}"
            yield {"kind": "essay of a model, dipper", "text": row["text"], "parents": [name]}


def essays(data: Path) -> Iterator[Row]:
    """Essays of models, named by what their paraphrases say of them."""
    for row in read(data / "outfox_essays.jsonl.xz"):
        if row["label"] == "ai" and not row.get("attack"):
            yield {"id": f"{row['pair_id']}/{row['generator']}", "text": row["text"]}


def write(path: Path, rows: Sequence[Row]) -> Path:
    """JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def results(folder: Path, rows: Sequence[Row]) -> Iterator[tuple[Row, str, float]]:
    """Each row with its reason (kept: an empty one) and its containment (0 where it has none)."""
    for file in sorted([*folder.glob("data/*.parquet"), *folder.glob("dropped/*.parquet")]):
        for found in pq.read_table(file, partitioning=None).to_pylist():
            yield rows[found["source_offset"]], found.get("reason") or "", found["parent_containment"] or 0.0


def report(folder: Path, rows: Sequence[Row]) -> None:
    """Print the share that is refused by kind, for which reason, and at other thresholds."""
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    shares: dict[str, list[float]] = defaultdict(list)
    for row, reason, containment in results(folder, rows):
        reasons[row["kind"]][reason] += 1
        if reason != "unknown_parent":
            shares[row["kind"]].append(containment)
    head = " | ".join(f">= {one}" for one in THRESHOLDS)
    print(f"| kind | rows | refused | reasons | {head} |\n|{'---|' * (4 + len(THRESHOLDS))}")
    for kind in dict.fromkeys(row["kind"] for row in rows):
        counts, values = reasons[kind], np.array(shares[kind])
        known = len(values)
        refused = known - counts[""]
        said = ", ".join(f"{reason} {count}" for reason, count in counts.most_common() if reason)
        at = " | ".join(f"{np.mean(values >= one):.3f}" for one in THRESHOLDS)
        print(f"| {kind} | {known} | {refused / known:.3f} | {said} | {at} |")


def report_languages(path: Path) -> None:
    """Print texts of the right language that are refused, and texts of another one that are found."""
    sentences: dict[str, list[str]] = defaultdict(list)
    for row in read(path):
        sentences[language_of_tag(row["lang"]) or row["lang"]].append(row["text"])
    sketcher, rng = Sketcher(CurateConfig()), random.Random(7)
    names = [name for name in sorted(sentences) if any(same_language(name, one) for one in sketcher.languages())]
    wrong, found, total, by_language = 0, 0, 0, Counter[str]()
    for name in names:
        texts = [" ".join(sentences[name][at : at + 3]) for at in range(0, min(300, len(sentences[name])), 3)]
        known = sketcher(pa.chunked_array([pa.array(texts, pa.string())]))
        columns = [known.column(column).to_pylist() for column in ("language", "language_score", "words")]
        for language, score, words in zip(*columns, strict=True):
            other = rng.choice([one for one in names if not same_language(one, name)])
            total += 1
            refused = is_wrong_language({name}, language, score, words, sketcher.languages())
            wrong += refused
            by_language[name] += refused
            found += is_wrong_language({other}, language, score, words, sketcher.languages())
    worst = ", ".join(f"{name} {count}" for name, count in by_language.most_common(12) if count)
    print(f"{len(names)} languages that the model knows, {total} texts")
    print(f"right language refused {wrong / total:.4f} ({worst}), another language found {found / total:.3f}")


def main() -> None:
    """Make the tables, run the commands, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--folder", type=Path, help="where the tables and folders are made (default: a new one)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--languages", type=Path, help="labelled sentences, for the check of the language")
    arguments = parser.parse_args()
    if arguments.languages:
        report_languages(arguments.languages)
    folder = arguments.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    humans = [row for row in read(arguments.data / "detectrl_clean.jsonl.xz") if row["label"] == "human"]
    humans = list({row["text"]: row for row in humans if len(row["text"].split()) >= FEWEST_WORDS}.values())
    rng = random.Random(7)
    made = list(rewrites(arguments.data, humans))
    used = {name for row in made for name in row["parents"]}
    free = [row for row in humans if row["id"] not in used]
    rng.shuffle(free)
    rows = [*planted(free, rng), *made]
    for number, row in enumerate(rows):
        row["id"] = f"row {number}"
    plain = [{"id": row["id"], "text": row["text"]} for row in humans]
    originals = write(folder / "originals.jsonl", [*plain, *essays(arguments.data)])
    table = write(folder / "rows.jsonl", [{name: row[name] for name in ("id", "text", "parents")} for row in rows])
    config = folder / "none.yaml"
    config.write_text("quality: {profile: none}\n", encoding="utf-8")
    options = ("--workers", arguments.workers, "--quiet")
    headwater("curate", originals, "--output", folder / "run", "--config", config, *options)
    headwater(
        "ingest", table, "--run", folder / "run", "--output", folder / "ingested", "--generator", "planted", *options
    )
    report(folder / "ingested", rows)


if __name__ == "__main__":
    main()
