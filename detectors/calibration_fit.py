"""Fit a calibration on out-of-source scores: every figure comes from sources that the scoring model was not trained on.

Rows are those that `headwater detectors evaluate --scores` writes: `head`, `fold`, `part` (`test` or absent: of the
source left out; `cal`: held-out text of the training sources), `source`, `domain`, `label`, `generator`, `attack`,
`language`, `words`, `z`. A source here is a fold, source, domain and language. Attacked rows are left out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.calibration import ALPHA, NATS_CAP, TAIL_CONTROLS, Calibration, CalibrationError, Curve, HeadCalibration
from detectors.prevalence import bounded_score
from detectors.strata import Float

# Head by name in score rows, and which labels are the two sides of it.
HEADS = {"chat": "ai_text", "raw": "raw_text", "translated": "translation", "machine": "machine_translation"}
HUMAN_SIDE = {
    "ai_text": ("human",),
    "raw_text": ("human",),
    "translation": ("human_original",),
    "machine_translation": ("human_translation",),
}
MACHINE_SIDE = {
    "ai_text": ("ai",),
    "raw_text": ("ai",),
    "translation": ("mt", "human_translation"),
    "machine_translation": ("mt",),
}
IN_SOURCE = ":document"  # folds that leave documents out and not their source: nothing for a calibration
MIN_TEXTS = 100  # of one side, for a source to count
MIN_DOMAIN = 200  # human texts, for a domain to be a source of its own; the other domains of a source are one
# z. At 0.4 human text of a source left out lay beyond in 2 % at most, at 0.2 in 5 %; more where a source asks for it.
MARGINS = tuple(round(0.1 * i, 1) for i in range(4, 16))
WORST_WITHOUT = 0.03  # false-positive rate of the worst source that the margin is chosen for
DRAWS = 60
KNOTS = np.round(np.arange(-3.0, 6.01, 0.25), 2)
MIN_TPR = 0.15  # of a head that gives verdicts, with controls, mean over sources
# People translate too, and original and translated text differ by topic: no document is judged by these heads alone.
VERDICT_HEADS = ("ai_text", "raw_text")


@dataclass(frozen=True, slots=True)
class Source:
    """Scores (z) of one source left out, and of human calibration text of the sources that its model was trained on.

    `name` is fold, source, domain and language; `generators` names the generator of every machine text.
    """

    name: str
    source: str
    human: Float
    machine: Float
    generators: npt.NDArray[np.str_]
    pooled_human: Float


def read_sources(rows: Iterable[Mapping[str, Any]], head: str) -> list[Source]:
    """Sources of a head (key of SCORE_COLUMNS) with MIN_TEXTS human texts, by name."""
    own = [
        row
        for row in rows
        if HEADS.get(row["head"], row["head"]) == head
        and not row.get("attack")
        and not row["fold"].endswith(IN_SOURCE)
        and row["label"] in HUMAN_SIDE[head] + MACHINE_SIDE[head]
    ]
    tests = [row for row in own if row.get("part", "test") == "test"]
    counts = Counter(_key(row) for row in tests if row["label"] in HUMAN_SIDE[head])
    sides: dict[_Key, tuple[list[float], list[float], list[str]]] = {}
    for row in tests:
        key = _key(row)
        key = key if counts[key] >= MIN_DOMAIN else key._replace(domain="")
        human, machine, generators = sides.setdefault(key, ([], [], []))
        if row["label"] in HUMAN_SIDE[head]:
            human.append(row["z"])
        else:
            machine.append(row["z"])
            generators.append(row.get("generator") or "")
    pooled: dict[str, list[float]] = {}
    for row in own:
        if row.get("part", "test") != "test" and row["label"] in HUMAN_SIDE[head]:
            pooled.setdefault(row["fold"], []).append(row["z"])
    return [
        Source(
            " ".join(filter(None, key)),
            key.source,
            np.array(human),
            np.array(machine),
            np.array(generators, dtype=np.str_),
            np.array(pooled.get(key.fold, [])),
        )
        for key, (human, machine, generators) in sorted(sides.items())
        if len(human) >= MIN_TEXTS
    ]


class _Key(NamedTuple):
    fold: str
    source: str
    domain: str
    language: str


def _key(row: Mapping[str, Any]) -> _Key:
    language = (row.get("language") or "").partition("_")[0]
    return _Key(row["fold"], row["source"].partition(":")[0], row.get("domain") or "", language)


def fit_calibration(
    rows: Iterable[Mapping[str, Any]], models: Mapping[str, str] | None = None, fitted_on: str = "", seed: int = 0
) -> Calibration:
    """Calibrations of all heads that the rows hold.

    Raises:
        CalibrationError: fewer than two sources with both sides for every head.
    """
    held = list(rows)
    heads = {}
    for head in HUMAN_SIDE:
        sources = read_sources(held, head)
        if sum(len(s.machine) >= MIN_TEXTS for s in sources) >= 2:
            fitted = fit_head(sources, seed)
            verdicts = fitted.gives_verdicts and head in VERDICT_HEADS
            heads[head] = replace(fitted, gives_verdicts=verdicts)
    if not heads:
        raise CalibrationError(f"no head has two sources with {MIN_TEXTS} human and {MIN_TEXTS} machine texts")
    return Calibration(heads, dict(models or {}), fitted_on)


def fit_head(sources: Sequence[Source], seed: int = 0) -> HeadCalibration:
    """The calibration of one head from its sources; see `HeadCalibration` for the fields."""
    both = [s for s in sources if len(s.machine) >= MIN_TEXTS]
    means = np.array([s.human.mean() for s in sources])
    sds = np.array([s.human.std(ddof=1) for s in sources])
    noise = float(np.mean([s.human.var(ddof=1) / len(s.human) for s in sources]))
    mean, sd = float(means.mean()), float(np.exp(np.log(sds).mean()))
    mean_sd = math.sqrt(max(float(means.var(ddof=1)) - noise, 1e-4)) if len(means) > 1 else sd
    sd_ratio = max(float(np.log(sds).std(ddof=1)), 0.05) if len(sds) > 1 else 0.2
    pooled = [s.pooled_human for s in sources if len(s.pooled_human)]
    threshold = float(np.quantile(np.concatenate(pooled), 1 - ALPHA)) if pooled else _pooled_threshold(sources)
    margin = _margin(sources, threshold)
    gaps = np.array([s.machine.mean() - s.human.mean() for s in both])
    tail = _tail([s.human for s in sources], mean, sd, mean_sd, sd_ratio, seed)
    own_places = [_positions(s, float(s.human.mean()), float(s.human.std(ddof=1)), sd) for s in both]
    with_controls = fit_curve(own_places)
    alone = fit_curve([_positions(s, mean, sd, sd) for s in both])
    slopes = [
        float(bounded_score(with_controls, machine).mean() - bounded_score(with_controls, human).mean())
        for human, machine in own_places
    ]
    beyond = [float((s.human > threshold + margin).mean()) for s in sources]
    caught = [float((s.machine > threshold + margin).mean()) for s in both]
    own = [float((s.machine > np.quantile(s.human, 1 - ALPHA)).mean()) for s in both]
    figures = {
        "sources": float(len(sources)),
        "machine_sources": float(len(both)),
        "margin_fpr_mean": float(np.mean(beyond)),
        "margin_fpr_worst": float(np.max(beyond)),
        "margin_tpr_mean": float(np.mean(caught)),
        "own_threshold_tpr_mean": float(np.mean(own)),
        **{f"margin_fpr {s.name}": rate for s, rate in zip(sources, beyond, strict=True)},
    }
    return HeadCalibration(
        mean=mean,
        sd=sd,
        mean_sd=mean_sd,
        sd_ratio=sd_ratio,
        threshold=threshold,
        margin=margin,
        tail=tail,
        with_controls=with_controls,
        alone=alone,
        gap=float(gaps.mean()),
        gap_sd=float(gaps.std(ddof=1)),
        slope=float(np.mean(slopes)),
        slope_sd=float(np.std(slopes, ddof=1)),
        gives_verdicts=bool(np.mean(own) >= MIN_TPR),
        figures=figures,
    )


def _positions(source: Source, mean: float, sd: float, reference_sd: float) -> tuple[Float, Float]:
    """Of human and machine text, as `HeadCalibration.position`."""
    unit = math.sqrt(sd * reference_sd)
    return (source.human - mean) / unit, (source.machine - mean) / unit


def _pooled_threshold(sources: Sequence[Source]) -> float:
    """z that ALPHA of human text exceeds, sources of equal weight."""
    z = np.concatenate([s.human for s in sources])
    weights = np.concatenate([np.full(len(s.human), 1 / len(s.human)) for s in sources])
    order = np.argsort(z, kind="stable")
    place = int(np.searchsorted(np.cumsum(weights[order]), (1 - ALPHA) * len(sources)))
    return float(z[order][min(place, len(z) - 1)])


def _margin(sources: Sequence[Source], threshold: float) -> float:
    """The smallest margin (z) at which no source left out has more than WORST_WITHOUT false positives."""
    for margin in MARGINS:
        if max(float((s.human > threshold + margin).mean()) for s in sources) <= WORST_WITHOUT:
            return margin
    return MARGINS[-1]


def _tail(humans: Sequence[Float], mean: float, sd: float, mean_sd: float, sd_ratio: float, seed: int) -> float:
    """The multiple of a shrunk fit's sd at which human text of a source lies beyond it with ALPHA on average."""
    generator = np.random.default_rng(seed)
    pool: list[Float] = []
    for human in humans:
        for _ in range(DRAWS):
            order = generator.permutation(len(human))
            n = min(TAIL_CONTROLS, len(human) // 2)
            drawn, rest = human[order[:n]], human[order[n:]]
            weight = (sd / mean_sd) ** 2
            weight_variance = 0.5 / sd_ratio**2
            m = (n * drawn.mean() + weight * mean) / (n + weight)
            v = ((n - 1) * drawn.var(ddof=1) + weight_variance * sd**2) / (n - 1 + weight_variance)
            pool.append(generator.choice((rest - m) / math.sqrt(v), 200))
    return float(np.quantile(np.concatenate(pool), 1 - ALPHA))


def fit_curve(sides: Sequence[tuple[Float, Float]]) -> Curve:
    """A monotone table of nats: log of the ratio of machine to human text by u, sources of equal weight.

    Isotonic regression on counts within KNOTS, with one text of either side in every bin, which keeps the ends modest.
    """
    edges = np.concatenate([[-np.inf], (KNOTS[1:] + KNOTS[:-1]) / 2, [np.inf]])
    human, machine = np.zeros(len(KNOTS)), np.zeros(len(KNOTS))
    for own, other in sides:
        human += np.histogram(own, edges)[0] / len(own)
        machine += np.histogram(other, edges)[0] / len(other)
    texts = float(np.mean([min(len(own), len(other)) for own, other in sides]))
    human, machine = human * texts + 1.0, machine * texts + 1.0
    share = _isotonic(machine / (human + machine), human + machine)
    odds = np.log(share) - np.log1p(-share) + math.log(human.sum() / machine.sum())
    nats = np.clip(odds, -NATS_CAP, NATS_CAP)
    return Curve(tuple(KNOTS.tolist()), tuple(nats.tolist()))


def _isotonic(values: Float, weights: Float) -> Float:
    """Weighted least-squares increasing fit (pool adjacent violators)."""
    blocks: list[list[float]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        blocks.append([value, weight, 1.0])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            value_b, weight_b, n_b = blocks.pop()
            value_a, weight_a, n_a = blocks.pop()
            total = weight_a + weight_b
            blocks.append([(value_a * weight_a + value_b * weight_b) / total, total, n_a + n_b])
    return np.repeat([b[0] for b in blocks], [int(b[2]) for b in blocks])
