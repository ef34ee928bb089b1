"""Whether the lower bound of the human share holds: corpora of a known share, of sources that no model was trained on.

    python benchmarks/human_share.py SCORES.jsonl... [--draws 40] [--controls 200] [--json FILE]

SCORES is what `headwater detectors evaluate --leave-out source --scores FILE` writes. A corpus has CORPUS documents of
one source, human and of chat models, with sizes in tokens that vary as those of web pages do. It is labelled as a run
labels it, what is labelled `ai_generated` is filtered out, and the bound is that of the rest
(`pipeline.mix.human_share.bounds_of`, at 95 %, machine translation left out). The calibration is fitted without the
source. Controls are other human documents of the source, or, under `others`, of another source. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import pyarrow as pa

from detectors.calibration import Calibration, Calibrator, HeadCalibration
from detectors.calibration_fit import MIN_TEXTS, Source, fit_head, read_sources
from detectors.controls import Cell, ControlSet
from detectors.strata import Float, Histogram, Strata
from pipeline.mix.human_share import bounds_of
from pipeline.mix.survey import AI_LABELLED, HEAD, MEASURED, SourceFacts, measured_strata
from schemas.recipe import RunSource

SHARES = (0.0, 0.05, 0.2, 0.5)
CORPUS = 400
KEY = ("eng", None, 3)
SIZE_SD = 1.0  # of the log of the tokens of a document
FACTS = SourceFacts(RunSource(name="bench", run="bench"))


def calibrator(fitted: HeadCalibration, controls: Float) -> Calibrator:
    """The fitted head with controls (z) of one stratum, dated 2021."""
    return Calibrator(
        Calibration({HEAD: fitted}), ControlSet({}, cells={Cell(HEAD, *KEY, 2021): Histogram.of(controls)})
    )


def measure(source: Source, controls: Float, human: Float, c: Calibrator, share: float, seed: int) -> tuple[float, Any]:
    """True human share of the tokens that take part, and the bound."""
    rng = np.random.default_rng(seed)
    machine = round(share * CORPUS)
    z = np.concatenate([rng.choice(human, CORPUS - machine), rng.choice(source.machine, machine)])
    tokens = np.maximum(1, rng.lognormal(6.5, SIZE_SD, CORPUS)).astype(np.int64)
    is_human = np.arange(CORPUS) < CORPUS - machine
    labelled = c(HEAD, z, Strata([KEY], np.zeros(CORPUS, np.int64))).is_beyond
    rows = pa.table(
        {
            "reason": np.where(labelled, "label", ""),
            "group": np.where(labelled, AI_LABELLED, MEASURED),
            "tokens": tokens,
            "language": ["eng"] * CORPUS,
            "page_type": ["none"] * CORPUS,
            "words": pa.array(np.full(CORPUS, 250), pa.int32()),
            "host": np.zeros(CORPUS, np.uint64),
            "score": pa.array(1.0 / (1.0 + np.exp(-z)), pa.float32()),
            "p_machine_translated": pa.array(np.zeros(CORPUS), pa.float32()),
            "fetched_at": pa.nulls(CORPUS, pa.timestamp("us", "UTC")),
        }
    )
    assert c.controls is not None
    facts = SourceFacts(FACTS.source, measured=measured_strata(c.controls))
    left = ~labelled
    totals = {MEASURED: (int(left.sum()), int(tokens[left].sum()))}
    bound = bounds_of(facts, ("eng", True, ""), rows, totals, c, None, 0.95)[0]
    return float(tokens[left & is_human].sum() / tokens[left].sum()), bound


def figures(sources: Sequence[Source], draws: int, size: int, own: bool) -> list[dict[str, Any]]:
    """Rows by source and share: how often the bound held, and where it lay."""
    rows = []
    tested = [one for one in sources if len(one.machine) >= MIN_TEXTS and len(one.human) >= 2 * MIN_TEXTS]
    for at, source in enumerate(tested):
        fitted = fit_head([other for other in sources if other.source != source.source])
        for share in SHARES:
            found = []
            for draw in range(draws):
                rng = np.random.default_rng((at, draw))
                order = rng.permutation(len(source.human))
                half = min(size, len(order) // 2)
                held = source.human[order[half:]]
                if own:
                    controls = source.human[order[:half]]
                else:
                    others = [one for one in tested if one.source != source.source]
                    controls = rng.choice(others[draw % len(others)].human, size)
                found.append(measure(source, controls, held, calibrator(fitted, controls), share, draw))
            given = [(true, bound) for true, bound in found if bound.basis == "estimated"]
            rows.append(
                {
                    "controls": "own" if own else "others",
                    "source": source.name,
                    "share": share,
                    "refused": len(found) - len(given),
                    "true": float(np.mean([true for true, _ in given])) if given else None,
                    "bound": float(np.mean([bound.human_low for _, bound in given])) if given else None,
                    "held": float(np.mean([bound.human_low <= true for true, bound in given])) if given else None,
                    "worst": float(max(bound.human_low - true for true, bound in given)) if given else None,
                }
            )
    return rows


def show(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Rows as aligned text."""
    print(f"\n{title}")
    lines = [list(rows[0])]
    for row in rows:
        lines.append(["-" if v is None else f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  " + "  ".join(value.ljust(width) for value, width in zip(line, widths, strict=True)))


def summed(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over sources by controls and share, and the source that held least often."""
    found = []
    for controls in dict.fromkeys(row["controls"] for row in rows):
        for share in SHARES:
            mine = [r for r in rows if (r["controls"], r["share"]) == (controls, share) and r["held"] is not None]
            line: dict[str, Any] = {"controls": controls, "share": share, "sources": len(mine)}
            for name in ("refused", "true", "bound", "held"):
                line[name] = float(np.mean([row[name] for row in mine])) if mine else None
            line["held_least"] = min((row["held"] for row in mine), default=None)
            line["worst"] = max((row["worst"] for row in mine), default=None)
            found.append(line)
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--controls", type=int, default=200)
    parser.add_argument("--json", type=Path, help="also write all figures here")
    a = parser.parse_args()
    scores = [json.loads(line) for file in a.files for line in file.read_text(encoding="utf-8").splitlines()]
    sources = read_sources(scores, HEAD)
    rows = [row for own in (True, False) for row in figures(sources, a.draws, a.controls, own)]
    show("By source", rows)
    show(f"Over sources ({CORPUS} documents, {a.controls} controls, 95 %)", summed(rows))
    if a.json:
        a.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
