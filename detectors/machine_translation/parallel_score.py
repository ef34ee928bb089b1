"""How likely two pages in different languages are versions of one document, and what that says about their origin.

`score_pairs` is a logistic model over the keys that two pages share and the comparison of their sketches. Its weights
were fitted on pairs of pages of ten human-translated manuals, licences and declarations and of wild pages (308,000
pairs, 28 % true), signs constrained to what a feature means. Weights of an address and of a named version are set by
rule: they are strong, and must still lose against texts that contradict them. The score is a log-odds among pairs that
share keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.machine_translation.parallelism import LINK, NAME, PAIR, PLACE, SHAPE, TOKEN, URL

F64 = npt.NDArray[np.float64]

SCORE_VERSION = 2
BIAS = -1.65
WEIGHTS: dict[str, float] = {
    "url": 4.5,  # by rule
    "link": 4.5,  # by rule
    "pair": 0.55,  # evidence of shared keys, ln(1 + nats)
    "token": 1.15,
    "name": 1.42,
    "place": 0.08,
    "shape": 0.6,
    "near": 2.41,  # shared strong hashes at the same place, ln(1 + n)
    "far": 0.95,  # … at another place
    "miss": -1.95,  # strong hashes of one page only
    "none": 0.47,  # one page has no strong hashes
    "weak_near": 0.71,
    "weak_share": 0.55,
    "align": 0.97,  # tens of nats of the lengths of lines, -2 to 4
    "align_some": 4.69,  # … 0 to 1
    "lines": -2.16,  # logarithm of the ratio of the numbers of lines, at most 2
    "size": -0.82,  # square of that of characters, at most 2.5 before it is squared
}
# Fewer shared words and numbers say nothing by themselves: pages of one template have lines of like lengths.
LEAST_SHARED = 3
ACCEPTED = 3.0  # pairs from this score on are versions of one document
UNDECIDED = 2.9  # the most that is left to embeddings, where they are used
# Two pages of one language in a group must be compared without keys, as no key says that they belong together.
SKETCH_BIAS = -0.71
SKETCH_WEIGHTS: dict[str, float] = {
    "near": 2.58, "far": 1.17, "miss": -1.96, "none": 1.27, "weak_near": 1.47, "align": 1.38, "align_some": 4.33,
    "lines": -0.34, "size": -0.92,
}  # fmt: skip
SKETCH_ACCEPTED = 2.0

MOST_NATS = 1.0


def compare_sketches(left: Sequence[bytes], right: Sequence[bytes]) -> F64:
    """Features of each pair of sketches; columns as `_native_pairs.compare` says."""
    from detectors.machine_translation import _native_pairs as native
    from detectors.machine_translation._native_parallel import STRONG_SIZE, WEAK_SIZE

    out = np.zeros((len(left), native.FEATURES), np.float64)
    number: dict[bytes, int] = {}
    for sketch in (*left, *right):
        number.setdefault(sketch, len(number))
    starts = np.append(0, np.cumsum([len(sketch) for sketch in number]))
    data = np.frombuffer(b"".join(number), np.uint8)
    first, second = (np.array([starts[number[sketch]] for sketch in side], np.int64) for side in (left, right))
    if len(left):
        native.compare(data.copy(), first, second, STRONG_SIZE, WEAK_SIZE, out)
    return out


def features_of(compared: F64) -> dict[str, F64]:
    """Named features of compared sketches."""
    shared, smaller, union, near = compared[:, :4].T
    weak_smaller, weak_near = compared[:, 5], compared[:, 7]
    aligned = compared[:, 8]
    return {
        "near": np.log1p(near),
        "far": np.log1p(shared - near),
        "miss": np.log1p(union - shared),
        "none": (smaller == 0).astype(np.float64),
        "weak_near": np.log1p(weak_near),
        "weak_share": np.where(weak_smaller > 0, weak_near / np.maximum(weak_smaller, 1), 0.0),
        "align": np.clip(aligned, -20, 40) / 10,
        "align_some": np.clip(aligned, 0, 10) / 10,
        "lines": np.minimum(np.abs(compared[:, 9]), 2.0),
        "size": np.minimum(np.abs(compared[:, 10]), 2.5) ** 2,
    }


def score_pairs(keys: npt.NDArray[Any], compared: F64) -> F64:
    """Log-odds that pairs are versions of one document.

    `keys` holds millinats of evidence of shared keys (pairs x `parallelism.KINDS`), `compared` what `compare_sketches`
    gives for the same pairs.
    """
    nats = np.asarray(keys, np.float64) / 1000
    found = features_of(compared)
    found["url"] = (nats[:, URL] > 0).astype(np.float64)
    found["link"] = (nats[:, LINK] > 0).astype(np.float64)
    for name, kind in (("pair", PAIR), ("token", TOKEN), ("name", NAME), ("place", PLACE), ("shape", SHAPE)):
        found[name] = np.log1p(nats[:, kind])
    score = np.full(len(compared), BIAS)
    for name, weight in WEIGHTS.items():
        score += weight * found[name]
    is_addressed = (found["url"] > 0) | (found["link"] > 0)
    shared = compared[:, 0] + compared[:, 4]
    return np.where(is_addressed | (shared >= LEAST_SHARED), score, np.minimum(score, UNDECIDED))


def score_sketches(compared: F64) -> F64:
    """Log-odds that pairs are versions of one document, by their sketches alone."""
    found = features_of(compared)
    score = np.full(len(compared), SKETCH_BIAS)
    for name, weight in SKETCH_WEIGHTS.items():
        score += weight * found[name]
    return score


def parallel_nats(languages: int | None, is_source: bool | None, confidence: float | None) -> float:
    """Log-odds, in nats, that parallelism adds for machine-translated; 0 to `MOST_NATS`, never proof.

    `languages` is the number of languages of the group, `is_source` whether the page is probably the original.

    Where it comes from: of n versions of a document n - 1 are translations, so that the odds of being translated are
    n - 1 against 1 for the pair of versions that most parallel documents are: ln(n - 1) nats. Thompson et al. 2024
    (arXiv 2401.05749) count 2.1 billion tuples of 6.38 billion sentences; 37.5 % of the tuples, with 57.1 % of the
    sentences, are in three languages or more. Those hold 4.6 sentences each, so that 78 % are translations
    (ln(4.6 - 1) = 1.3 nats against one half in pairs). They find quality to fall with the number of languages, so that
    more of the translations are a machine's, but give no share; and manuals, laws and news are translated by people
    into dozens of languages. Hence half of ln(n - 1), at most 1 nat, times the confidence. Set by rule, not fitted.
    """
    if not languages or languages < 3 or is_source or confidence is None:
        return 0.0
    nats = min(MOST_NATS, 0.5 * float(np.log(languages - 1)))
    return nats * min(1.0, max(0.0, confidence))
