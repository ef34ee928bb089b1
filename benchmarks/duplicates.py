"""Recall and precision of near duplicates against exact similarity, beside what theory says of each preset.

    python benchmarks/duplicates.py DOCS.jsonl.xz PAIRS.jsonl.gz [--seeds 5] [--sketch 256] [--json FILE]

DOCS: JSON lines of `id` and `text`; PAIRS: of `a`, `b` and `jaccard_w5`, the exact Jaccard similarity of lower-cased
word 5-grams. For every preset and band of similarity: the share of the pairs that share a band (candidates),
as a mean over the seeds, beside the mean of 1 - (1 - J^rows)^bands over the same pairs. Then the similarity by sketches
against the exact one, and what `headwater duplicates` makes of the whole with its defaults: pairs and clusters.
"""

from __future__ import annotations

import argparse
import gzip
import json
import lzma
import os
import shlex
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from detectors.api import run_detectors
from detectors.features.minhash import SHAPES, band_keys, probability
from detectors.features.sketch import compare
from pipeline.annotate import annotator_for
from schemas.config import CurateConfig

EDGES = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
HIGH = 0.8  # pairs that have to be found
FAR = 0.7  # a verified pair below this is wrong
Floats = npt.NDArray[np.float64]
Pairs = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]  # places of both documents, exact similarity


def open_text(path: Path) -> TextIO:
    """A text file, plain, gzip or xz."""
    openers: dict[str, Any] = {".xz": lzma.open, ".gz": gzip.open}
    opened: TextIO = openers.get(path.suffix, open)(path, "rt", encoding="utf-8")
    return opened


def read(docs: Path, pairs: Path) -> tuple[list[str], list[str], Pairs]:
    """Ids, texts, and pairs."""
    with open_text(docs) as lines:
        rows = [json.loads(line) for line in lines]
    place = {row["id"]: i for i, row in enumerate(rows)}
    with open_text(pairs) as lines:
        known = [json.loads(line) for line in lines]
    left, right = (np.array([place[pair[end]] for pair in known], np.int64) for end in "ab")
    return (
        [row["id"] for row in rows],
        [row["text"] for row in rows],
        (left, right, np.array([pair["jaccard_w5"] for pair in known])),
    )


def columns_of(texts: list[str], **settings: Any) -> dict[str, pa.Array]:
    """Columns of the detector of duplicates under these settings of policy.duplicates."""
    config = CurateConfig.model_validate({"policy": {"duplicates": settings}})
    batch = pa.record_batch({"text": pa.array(texts)})
    return dict(run_detectors(annotator_for(config, ("duplicates",)).detectors, batch).columns)


def candidates(texts: list[str], pairs: Pairs, shape: str, seed: int) -> npt.NDArray[np.bool_]:
    """Whether the two of each pair share a band."""
    signatures = columns_of(texts, shape=shape, seed=seed)["minhash"]
    width = SHAPES[shape].size
    empty = bytes(4 * width)
    matrix = np.frombuffer(b"".join(value or empty for value in signatures.to_pylist()), "<u4").reshape(-1, width)
    keys = band_keys(matrix.copy(), SHAPES[shape])
    known = np.asarray(signatures.is_valid())
    shared = (keys[pairs[0]] == keys[pairs[1]]).any(axis=1)
    found: npt.NDArray[np.bool_] = shared & known[pairs[0]] & known[pairs[1]]
    return found


def band_of(similarity: Floats) -> npt.NDArray[np.int64]:
    """Number of the band of similarity; exactly 1 is a band of its own, the last."""
    return np.searchsorted(np.array(EDGES), similarity, side="right") - 1


def by_band(values: Floats, similarity: Floats) -> list[float | None]:
    """Mean of the values in each band of exact similarity; None where there are no pairs."""
    place = band_of(similarity)
    return [float(values[place == i].mean()) if (place == i).any() else None for i in range(len(EDGES))]


def presets(texts: list[str], pairs: Pairs, seeds: int) -> dict[str, Any]:
    """Recall of candidates by band of similarity, found and in theory, for every preset."""
    found: dict[str, Any] = {}
    for name, shape in SHAPES.items():
        runs = np.stack([candidates(texts, pairs, name, seed) for seed in range(1, seeds + 1)])
        theory = np.array([probability(j, shape.bands, shape.rows) for j in pairs[2]])
        high = pairs[2] >= HIGH
        found[name] = {
            "candidates": by_band(runs.mean(axis=0), pairs[2]),
            "theory": by_band(theory, pairs[2]),
            f"recall_from_{HIGH}": float(runs[:, high].mean()),
            f"recall_from_{HIGH}_by_seed": [float(run[high].mean()) for run in runs],
            f"theory_from_{HIGH}": float(theory[high].mean()),
            f"share_of_candidates_from_{FAR}": float((runs & (pairs[2] >= FAR)).sum() / max(1, runs.sum())),
        }
    return found


def verification(texts: list[str], pairs: Pairs, size: int) -> dict[str, Any]:
    """Similarity by sketches of `size` against the exact one."""
    columns = columns_of(texts, sketch=size)
    sketch, shingles = columns["sketch"], columns["shingles"]
    left, right = pa.array(pairs[0]), pa.array(pairs[1])
    value = compare(sketch.take(left), sketch.take(right), shingles.take(left), shingles.take(right))
    value = np.nan_to_num(value.astype(np.float64))
    error = value - pairs[2]
    return {
        "mean_error": float(np.abs(error).mean()),
        "bias": float(error.mean()),
        "mean_error_by_band": by_band(np.abs(error), pairs[2]),
        "largest_error": float(np.abs(error).max()),
        "whole_sets": float(np.mean(np.asarray(shingles.fill_null(0)) <= size)),
    }


def command_result(docs: Path, ids: list[str], pairs: Pairs) -> dict[str, Any]:
    """What `headwater duplicates` finds with its defaults."""
    program = shlex.split(os.environ.get("HEADWATER", "headwater"))
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*program, "duplicates", str(docs), "--output", folder, "--quiet"], check=True)
        rows = pq.read_table(Path(folder) / "pairs.parquet").to_pylist()
        clusters = pq.read_table(Path(folder) / "clusters.parquet").to_pylist()
    similarity = {frozenset((row["record_id_a"], row["record_id_b"])): row["similarity"] for row in rows}
    cluster = {row["record_id"]: row["cluster_id"] for row in clusters}
    names = [frozenset((ids[a], ids[b])) for a, b in zip(pairs[0], pairs[1], strict=True)]
    verified = np.array([name in similarity for name in names])
    value = np.array([similarity.get(name, np.nan) for name in names])
    together = np.array([cluster[ids[a]] == cluster[ids[b]] for a, b in zip(pairs[0], pairs[1], strict=True)])
    exact, high = pairs[2], pairs[2] >= HIGH
    error = np.abs(value - exact)[verified]
    return {
        "documents": len(ids),
        "clusters": len(set(cluster.values())),
        "kept": sum(row["kept"] for row in clusters),
        "verified_pairs": len(similarity),
        "verified_pairs_of_known_similarity": int(verified.sum()),
        f"recall_of_clusters_from_{HIGH}": float(together[high].mean()),
        f"recall_of_pairs_from_{HIGH}": float(verified[high].mean()),
        "precision": float((exact[verified] >= FAR).mean()) if verified.any() else None,
        "together_by_band": by_band(together.astype(np.float64), exact),
        "verified_by_band": by_band(verified.astype(np.float64), exact),
        "mean_error": float(error.mean()) if verified.any() else None,
        "mean_error_by_band": by_band(error, exact[verified]),
        "unlike_pairs_in_one_cluster": int((together & (exact < 0.2)).sum()),
    }


def render(report: dict[str, Any]) -> str:
    """The figures as a table by band of similarity."""

    def cells(values: list[float | None], digits: int = 3) -> str:
        return " | ".join("" if value is None else f"{value:.{digits}f}" for value in values)

    names = [f"{low:.1f}-{high:.1f}" for low, high in pairwise(EDGES)] + ["1.0"]
    lines = ["similarity | " + " | ".join(names), "pairs | " + " | ".join(map(str, report["pairs_by_band"]))]
    for name, entry in report["presets"].items():
        lines.append(f"{name} candidates | {cells(entry['candidates'])}")
        lines.append(f"{name} theory | {cells(entry['theory'])}")
    for size, entry in report["sketches"].items():
        lines.append(f"error of sketches of {size} | {cells(entry['mean_error_by_band'])}")
    if command := report["command_result"]:
        lines.append(f"headwater duplicates: verified pairs | {cells(command['verified_by_band'])}")
        lines.append(f"headwater duplicates: in one cluster | {cells(command['together_by_band'])}")
        lines.append(f"headwater duplicates: error | {cells(command['mean_error_by_band'])}")
    lines.append("")
    for name, entry in report["presets"].items():
        lines.append(
            f"{name}: recall of candidates from {HIGH}: {entry[f'recall_from_{HIGH}']:.4f} "
            f"(theory {entry[f'theory_from_{HIGH}']:.4f}); {entry[f'share_of_candidates_from_{FAR}']:.4f} of the "
            f"candidates are at {FAR} and more"
        )
    for size, entry in report["sketches"].items():
        lines.append(f"sketches of {size}: mean error {entry['mean_error']:.4f}, bias {entry['bias']:+.4f}")
    if command := report["command_result"]:
        lines.append(
            "headwater duplicates: " + ", ".join(f"{k} {v}" for k, v in command.items() if not isinstance(v, list))
        )
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("docs", type=Path)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sketch", type=int, nargs="+", default=[256], help="sizes of sketches to compare")
    parser.add_argument("--no-command", action="store_true", help="leave `headwater duplicates` ($HEADWATER) out")
    parser.add_argument("--json", type=Path, help="write every figure here")
    options = parser.parse_args()
    ids, texts, pairs = read(options.docs, options.pairs)
    report = {
        "command": " ".join(sys.argv),
        "documents": len(ids),
        "pairs": len(pairs[0]),
        "pairs_by_band": np.bincount(band_of(pairs[2]), minlength=len(EDGES)).tolist(),
        "presets": presets(texts, pairs, options.seeds),
        "sketches": {str(size): verification(texts, pairs, size) for size in options.sketch},
        "command_result": None if options.no_command else command_result(options.docs, ids, pairs),
    }
    print(render(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
