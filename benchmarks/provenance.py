"""What dated controls make of text-model scores: thresholds, hosts, calibration error and shares, on sources left out.

    python benchmarks/provenance.py SCORES.jsonl... [--head ai_text] [--draws 60] [--offset 0.2] [--json FILE]

SCORES is what `headwater detectors evaluate --scores FILE` writes. Every figure of a source uses a calibration fitted
without that source (without its domain, where fewer than two sources with machine text are left), and controls that are
not scored. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from detectors.calibration import Calibrated, Calibrator, HeadCalibration, probabilities
from detectors.calibration import Calibration as Fitted
from detectors.calibration_fit import MIN_TEXTS, Source, fit_head, read_sources
from detectors.controls import Cell, ControlSet
from detectors.hosts import estimate_offsets, judge_hosts, sum_by_host
from detectors.prevalence import estimate_share
from detectors.strata import Float, Histogram, Strata

Row = dict[str, Any]
CONTROLS = (0, 25, 50, 100, 200)
PAGES = (1, 5, 20)
SPIKES = (0.0, 0.05, 0.1, 0.25, 0.5)
PRIOR = (0.8, 0.1)  # human, machine of this kind; the third class of the fusion is left out here
BINS = 10
KEY = ("eng", None, 3)  # a draw is one stratum
DATED_HOSTS = 200
CORPUS = 400


def calibrator(head: str, fitted: HeadCalibration, controls: Float) -> Calibrator:
    """The fitted head with `controls` (z) of one stratum, dated 2021."""
    cells = {Cell(head, *KEY, 2021): Histogram.of(controls)} if len(controls) else {}
    return Calibrator(Fitted({head: fitted}), ControlSet({}, cells=cells))


def strata(rows: int) -> Strata:
    """`rows` of the one stratum."""
    return Strata([KEY], np.zeros(rows, dtype=np.int64))


def apply(c: Calibrator, head: str, z: Float) -> Calibrated:
    """Evidence of scores of the one stratum."""
    return c(head, z, strata(len(z)))


def auc(human: Float, machine: Float) -> float:
    """Area under the ROC curve, ties halved."""
    h = np.sort(human)
    return float((np.searchsorted(h, machine) + np.searchsorted(h, machine, side="right")).mean() / 2 / len(h))


def split(source: Source, k: int, rng: np.random.Generator) -> tuple[Float, Float]:
    """k human texts as controls (half of them at most), and the others."""
    order = rng.permutation(len(source.human))
    k = min(k, len(order) // 2)
    return source.human[order[:k]], source.human[order[k:]]


def thresholds(head: str, sources: Sequence[Source], fits: dict[str, HeadCalibration], draws: int) -> list[Row]:
    """False and true positives by number of controls and source, over draws of the controls."""
    rows: list[Row] = []
    for k in CONTROLS:
        for source in sources:
            rng = np.random.default_rng(len(rows))
            false, true = [], []
            for _ in range(draws if k else 1):
                controls, rest = split(source, k, rng)
                c = calibrator(head, fits[source.name], controls)
                false.append(float(apply(c, head, rest).is_beyond.mean()))
                if len(source.machine):
                    true.append(float(apply(c, head, source.machine).is_beyond.mean()))
            rows.append(
                {
                    "controls": k,
                    "source": source.name,
                    "fpr": float(np.mean(false)),
                    "fpr_p90": float(np.quantile(false, 0.9)),
                    "tpr": float(np.mean(true)) if true else None,
                    "undecided_human": 0.0 if k else 1 - float(np.mean(false)),
                    "undecided_machine": None if not true else 0.0 if k else 1 - float(np.mean(true)),
                }
            )
    return rows


def calibration_error(p: Float, y: Float, weights: Float) -> tuple[float, float, list[list[float]]]:
    """Expected calibration error over BINS bins of equal mass, Brier score, and (mass, mean p, share) by bin."""
    order = np.argsort(p, kind="stable")
    p, y, w = p[order], y[order], weights[order] / weights.sum()
    place = np.minimum((np.cumsum(w) - w / 2) * BINS, BINS - 1e-9).astype(int)
    bins = []
    for b in range(BINS):
        inside = place == b
        if inside.any():
            mass = float(w[inside].sum())
            bins.append([mass, float(w[inside] @ p[inside]) / mass, float(w[inside] @ y[inside]) / mass])
    return sum(m * abs(a - b) for m, a, b in bins), float(w @ (p - y) ** 2), bins


def calibration(
    head: str, sources: Sequence[Source], fits: dict[str, HeadCalibration], draws: int, prior: tuple[float, float]
) -> list[Row]:
    """Calibration error by source and number of controls: texts of either side weighted to the prior."""
    rows: list[Row] = []
    for k in (25, 100, 200):
        for source in sources:
            if len(source.machine) < MIN_TEXTS:
                continue
            rng = np.random.default_rng(len(rows))
            errors, briers, base = [], [], []
            for _ in range(draws):
                controls, rest = split(source, k, rng)
                c = calibrator(head, fits[source.name], controls)
                nats = apply(c, head, np.concatenate([rest, source.machine])).nats
                y = np.repeat([0.0, 1.0], [len(rest), len(source.machine)])
                w = np.where(y == 1, prior[1] / len(source.machine), prior[0] / len(rest))
                p = probabilities(np.stack([np.zeros(len(nats)), nats], axis=1), prior)[:, 1]
                error, brier, bins = calibration_error(p, y, w)
                errors.append(error)
                briers.append(brier)
                base.append(bins)
            share = prior[1] / sum(prior)
            rows.append(
                {
                    "controls": k,
                    "source": source.name,
                    "ece": float(np.mean(errors)),
                    "ece_p90": float(np.quantile(errors, 0.9)),
                    "brier": float(np.mean(briers)),
                    "brier_of_prior": share * (1 - share),
                    "bins": base[0],
                }
            )
    return rows


def hosts(
    head: str, sources: Sequence[Source], fits: dict[str, HeadCalibration], draws: int, offset: float, k: int = 100
) -> list[Row]:
    """Hosts of n pages: k controls of the stratum, host offsets of sd `offset` (z) added by simulation.

    The offset variance is estimated on DATED_HOSTS simulated hosts of 2 to 20 pages from one half of the human texts;
    hosts to be judged draw on the other half, with replacement. A machine's host has one generator.
    """
    rows: list[Row] = []
    for n in PAGES:
        pooled: list[tuple[Float, Float]] = []
        for source in sources:
            if len(source.machine) < MIN_TEXTS:
                continue
            rng = np.random.default_rng(len(rows) + n)
            drawn = [
                _judge_drawn(head, source, fits[source.name], rng, n, offset, k) for _ in range(max(4, draws // 10))
            ]
            human, machine = (np.concatenate([d[side][0] for d in drawn]) for side in (0, 1))
            pooled.append((human, machine))
            rule = [float(np.mean([d[side][1] for d in drawn])) for side in (0, 1)]
            rows.append(_host_row(n, offset, source.name, human, machine, rule))
        human, machine = (np.concatenate([p[side] for p in pooled]) for side in (0, 1))
        own = [row for row in rows if row["pages"] == n]
        rule = [float(np.mean([row[name] for row in own])) for name in ("fpr_of_rule", "tpr_of_rule")]
        rows.append(_host_row(n, offset, "ALL", human, machine, rule))
    return rows


def _host_row(n: int, offset: float, name: str, human: Float, machine: Float, rule: list[float]) -> Row:
    figures = {"auc": auc(human, machine), "tpr_at_1": float((machine > np.quantile(human, 0.99)).mean())}
    return {"pages": n, "offset": offset, "source": name, **figures, "fpr_of_rule": rule[0], "tpr_of_rule": rule[1]}


def _judge_drawn(
    head: str, source: Source, fitted: HeadCalibration, rng: np.random.Generator, n: int, offset: float, k: int
) -> tuple[tuple[Float, float], tuple[Float, float]]:
    """Means of 200 human and 200 machine hosts, and the shares of them that the rule calls machine-made."""
    order = rng.permutation(len(source.human))
    half = len(order) // 2
    dated, rest = source.human[order[:half]], source.human[order[half:]]
    controls = rng.choice(dated, min(k, half), replace=False)
    reference = calibrator(head, fitted, controls).reference(head, *KEY)
    assert reference is not None
    sizes = rng.integers(2, 21, DATED_HOSTS)
    owner = np.repeat(np.arange(DATED_HOSTS), sizes)
    effects = offset * rng.standard_normal(DATED_HOSTS)
    offsets = estimate_offsets(sum_by_host(owner, rng.choice(dated, len(owner)) + effects[owner] - reference.mean))

    def judge(kinds: list[Float]) -> tuple[Float, float]:
        pages = np.stack([rng.choice(kinds[rng.integers(len(kinds))], n) for _ in range(200)])
        d = pages + offset * rng.standard_normal((200, 1)) - reference.mean
        sums = sum_by_host(np.repeat(np.arange(200), n), d.ravel())
        return sums.mean, float(judge_hosts(sums, offsets, fitted, len(controls)).is_beyond.mean())

    return judge([rest]), judge([source.machine[source.generators == name] for name in np.unique(source.generators)])


def prevalence(
    head: str, sources: Sequence[Source], fits: dict[str, HeadCalibration], draws: int, k: int = 200
) -> list[Row]:
    """Estimated shares at known ones: k human controls, with and without machine text of the stratum."""
    rows: list[Row] = []
    for own in (True, False):
        for source in sources:
            if len(source.machine) < 2 * MIN_TEXTS or len(source.human) < k + CORPUS:
                continue
            for spike in SPIKES:
                rng = np.random.default_rng(len(rows))
                found = []
                for _ in range(max(10, draws // 3)):
                    controls, rest = split(source, k, rng)
                    order = rng.permutation(len(source.machine))
                    known, other = source.machine[order[:200]], source.machine[order[200:]]
                    number = round(spike * CORPUS)
                    corpus = np.concatenate([rest[: CORPUS - number], other[:number]])
                    c = calibrator(head, fits[source.name], controls)
                    machine = (known, strata(len(known))) if own else None
                    found.append(estimate_share(corpus, strata(CORPUS), None, c, head, machine, draws=100))
                given = [s for s in found if s.refused is None]
                error = np.array([s.estimate - spike for s in given])
                rows.append(
                    {
                        "slope": "stratum" if own else "calibration",
                        "source": source.name,
                        "spike": spike,
                        "refused": len(found) - len(given),
                        "mean": float(np.mean([s.estimate for s in given])) if given else None,
                        "bias": float(error.mean()) if given else None,
                        "absolute_error": float(np.abs(error).mean()) if given else None,
                        "covered": float(np.mean([s.low <= spike <= s.high for s in given])) if given else None,
                        "width": float(np.mean([s.high - s.low for s in given])) if given else None,
                    }
                )
    return rows


def table(title: str, rows: Sequence[Row], out: Callable[[str], object] = print) -> None:
    """Rows as aligned text."""
    if not rows:
        return
    names = [name for name in rows[0] if name != "bins"]

    def text(value: Any) -> str:
        return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)

    cells = [names, *([text(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    out(f"\n{title}")
    for line in cells:
        out("  " + "  ".join(value.ljust(width) for value, width in zip(line, widths, strict=True)))


def summary(rows: Sequence[Row], by: str, figures: Sequence[str]) -> list[Row]:
    """Mean and worst of figures over sources."""
    found = []
    for value in dict.fromkeys(row[by] for row in rows):
        line: Row = {by: value}
        for figure in figures:
            values = [row[figure] for row in rows if row[by] == value and row[figure] is not None]
            line[f"{figure}_mean"] = float(np.mean(values)) if values else None
            line[f"{figure}_max"] = float(np.max(values)) if values else None
            line[f"{figure}_min"] = float(np.min(values)) if values else None
        found.append(line)
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--head", default="ai_text")
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument(
        "--offset", type=float, default=0.2, help="sd of host offsets, in z: 0.2 is that of 115 hosts of old web pages"
    )
    parser.add_argument("--json", type=Path, help="also write all figures here")
    a = parser.parse_args()
    scores = [json.loads(line) for file in a.files for line in file.read_text(encoding="utf-8").splitlines()]
    sources = read_sources(scores, a.head)

    def others(source: Source) -> list[Source]:
        """Without the whole source; where too little is left, without its domain."""
        left = [other for other in sources if other.source != source.source]
        if len({other.source for other in left if len(other.machine) >= MIN_TEXTS}) > 1:
            return left
        kind = source.name.partition(" ")[2]
        return [other for other in sources if other.name.partition(" ")[2] != kind]

    fits = {source.name: fit_head(others(source)) for source in sources}
    result = {
        "thresholds": thresholds(a.head, sources, fits, a.draws),
        "calibration": calibration(a.head, sources, fits, max(5, a.draws // 4), PRIOR),
        "hosts": [
            row for offset in (0.0, a.offset, 1.5 * a.offset) for row in hosts(a.head, sources, fits, a.draws, offset)
        ],
        "prevalence": prevalence(a.head, sources, fits, a.draws),
    }
    table("Thresholds", result["thresholds"])
    table("Thresholds over sources", summary(result["thresholds"], "controls", ("fpr", "fpr_p90", "tpr")))
    table(f"Calibration at prior {PRIOR}", result["calibration"])
    table("Hosts (100 controls of the stratum)", result["hosts"])
    table(f"Prevalence ({CORPUS} documents, 200 controls)", result["prevalence"])
    if a.json:
        a.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
