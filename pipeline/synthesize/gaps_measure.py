"""Shares of strata against their targets: intervals, what is thin, how much is missing. Pure functions of counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist

import numpy as np

from pipeline.synthesize.gaps_survey import OTHER, Stratum, Tally
from pipeline.synthesize.gaps_words import Int
from schemas.config import ConfigError
from schemas.targets import GENDERS, JOINT, SUM_TOLERANCE, TOPICS, GapTargets, Target

MAX_WANTED = 2000  # strata of one target


@dataclass(frozen=True, slots=True)
class Wanted:
    """Target share of a stratum; `low` is its lower bound where it was measured in another corpus."""

    share: float
    low: float


@dataclass(frozen=True, slots=True)
class Gap:
    """A stratum beside its target. Missing amounts are at the present size of the corpus."""

    key: str
    documents: int
    words: int
    bytes: int
    share: float | None  # None where no document of any stratum is known
    low: float | None
    high: float | None
    target: float | None  # None: the target says nothing of it
    thin: str | None  # why it is thin: share, minimum; None where it is not
    missing_documents: int = 0
    missing_low: int = 0
    missing_high: int = 0
    missing_words: int = 0
    to_add: int = 0  # documents that bring every thin stratum to its target, nothing else added or taken away


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A target and all of its strata, thinnest first."""

    target: Target
    documents: int  # that the shares are of
    amount: int  # of them, in the unit of the shares
    hosts: float  # effective number of hosts (Kish 1965), as far as the bootstrap tells it
    asked: int
    unknown: int
    other: int  # documents with values that are not named and of which the shares are not
    gaps: tuple[Gap, ...]


def wilson(share: float, size: float, confidence: float) -> tuple[float, float]:
    """Two-sided interval of a proportion of `size` independent draws (Wilson 1927); `size` need not be whole."""
    if size <= 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    middle = (share + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * np.sqrt(share * (1 - share) / size + z * z / (4 * size * size))
    low = 0.0 if share == 0 else max(0.0, middle - half)
    return float(low), float(1.0 if share == 1 else min(1.0, middle + half))


def effective_size(part: Int, whole: Int, amount: int, total: int, documents: int) -> float:
    """Independent documents that tell a share as well as these of hosts do.

    `part` and `whole` are the sums of each replicate of the bootstrap of hosts, `amount` and `total` those of the data.
    The variance of the share is that of part - share * whole, over the square of the total (linearised ratio). Where
    there is none (a share of 0 or 1), it is Kish's effective number of hosts, as if each were of one kind.
    """
    share = amount / total
    variance = float(np.mean((part - share * whole) ** 2.0)) / total**2
    if 0 < share < 1 and variance > 0:
        size = share * (1 - share) / variance
    else:
        size = effective_hosts(whole, total)
    return min(size, float(documents))


def effective_hosts(whole: Int, total: int) -> float:
    """Kish's effective number of hosts, total^2 / sum of squares, from the variance of the replicates' totals."""
    variance = float(np.mean((whole - float(total)) ** 2))
    return total**2 / variance if variance > 0 else 0.0


def named_values(target: Target) -> tuple[str, ...] | None:
    """Strata that a target names by itself; None where they follow from what is met."""
    if target.shares:
        return tuple(target.shares)
    if isinstance(target.uniform, tuple):
        return target.uniform
    if target.uniform and target.dimensions == ("topic",):
        return TOPICS
    if target.uniform and target.dimensions == ("gender",):
        return GENDERS[:2]
    return None


def wanted_shares(target: Target, met: Sequence[str], reference: Mapping[str, Wanted] | None) -> dict[str, Wanted]:
    """Target share by stratum.

    Raises:
        ConfigError: a crossing of everything that was met is too large.
    """
    if target.shares:
        return {key: Wanted(share, share) for key, share in target.shares.items()}
    if reference is not None:
        return dict(reference)
    keys: Sequence[str] | None = named_values(target)
    if keys is None:
        parts = [sorted({key.split(JOINT)[at] for key in met}) for at in range(len(target.dimensions))]
        if np.prod([float(len(part)) for part in parts]) > MAX_WANTED:
            raise ConfigError(f"{target.name}: uniform over more than {MAX_WANTED:,} strata; name those wanted")
        keys = [JOINT.join(values) for values in product(*parts)] if met else []
    return {key: Wanted(1 / len(keys), 1 / len(keys)) for key in keys}


def reference_shares(tally: Tally, unit: int, confidence: float) -> dict[str, Wanted]:
    """Shares of a corpus as the target of another."""
    strata = tally.strata
    whole, total, documents = _population(strata, unit)
    found = {}
    for key, stratum in sorted(strata.items()):
        amount = int(stratum.amounts[unit])
        if total:
            size = effective_size(stratum.replicates, whole, amount, total, documents)
            share = amount / total
            found[key] = Wanted(share, wilson(share, size, confidence)[0])
    return found


def _population(strata: Mapping[str, Stratum], unit: int) -> tuple[Int, int, int]:
    whole = sum((s.replicates for s in strata.values()), np.zeros(1, np.int64))
    total = sum(int(s.amounts[unit]) for s in strata.values())
    return whole, total, sum(int(s.amounts[0]) for s in strata.values())


def measure(tally: Tally, wanted: Mapping[str, Wanted], config: GapTargets) -> Measured:
    """Every stratum of a target with its share, interval and what is missing."""
    unit = ("documents", "words", "bytes").index(config.unit)
    closed = sum(one.share for one in wanted.values()) > 1 - SUM_TOLERANCE  # then nothing else has a part in the shares
    counted = {key: s for key, s in tally.strata.items() if key in wanted or not closed}
    whole, total, documents = _population(counted, unit)
    gaps = [_gap(key, counted.get(key), wanted.get(key), whole, total, documents, unit, config)
            for key in sorted({*counted, *wanted})]  # fmt: skip
    thin = [gap for gap in gaps if gap.thin]
    gaps = [_with_additions(gap, thin, total, documents, unit, config) if gap.thin else gap for gap in gaps]
    gaps.sort(key=lambda g: (g.target is None, g.thin is None, -g.to_add, -g.documents, g.key))
    return Measured(
        target=tally.target,
        documents=documents,
        amount=total,
        hosts=min(effective_hosts(whole, total), float(documents)) if total else 0.0,
        asked=tally.asked,
        unknown=tally.unknown,
        other=tally.asked - tally.unknown - documents,
        gaps=tuple(gaps),
    )


def _gap(
    key: str, stratum: Stratum | None, target: Wanted | None, whole: Int, total: int, documents: int, unit: int,
    config: GapTargets,
) -> Gap:  # fmt: skip
    amounts = [int(value) for value in stratum.amounts] if stratum else [0, 0, 0]
    share = low = high = None
    if total:
        replicates = stratum.replicates if stratum else np.zeros_like(whole)
        share = amounts[unit] / total
        size = effective_size(replicates, whole, amounts[unit], total, documents)
        low, high = wilson(share, size, config.confidence)
    if key == OTHER or target is None:
        return Gap(key, amounts[0], amounts[1], amounts[2], share, low, high, None, None)
    thin = None
    if high is not None and high < target.low * (1 - config.tolerance):
        thin = "share"
    elif target.share > 0 and amounts[0] < config.minimum_documents:
        thin = "minimum"
    if not thin or share is None or low is None or high is None:
        return Gap(key, amounts[0], amounts[1], amounts[2], share, low, high, target.share, thin)
    each = amounts[unit] / amounts[0] if amounts[0] else total / documents  # of the unit, in a document
    words = amounts[1] / amounts[0] if amounts[0] else 0.0
    missing = [max(0, round((target.share - one) * total / each)) for one in (share, high, low)]
    return Gap(key, amounts[0], amounts[1], amounts[2], share, low, high, target.share, thin,
               missing[0], missing[1], missing[2], round(missing[0] * words))  # fmt: skip


def _with_additions(gap: Gap, thin: Sequence[Gap], total: int, documents: int, unit: int, config: GapTargets) -> Gap:
    """The gap with what to add: of all thin strata S together X = (T sum t - sum n) / (1 - sum t), and of each
    t (T + X) - n, so that every one is at its target in the corpus that has grown by X."""
    by_share = [one for one in thin if one.thin == "share"]
    wanted = sum(one.target or 0.0 for one in by_share)
    held = sum(_amount(one, unit) for one in by_share)
    grown = total + (max(0.0, total * wanted - held) / (1 - wanted) if wanted < 1 - SUM_TOLERANCE else 0.0)
    amount = max(0.0, (gap.target or 0.0) * grown - _amount(gap, unit)) if gap.thin == "share" else 0.0
    each = _amount(gap, unit) / gap.documents if gap.documents else (total / documents if documents else 1.0)
    to_add = max(int(np.ceil(amount / each - 1e-9)), config.minimum_documents - gap.documents, 0)
    values = {name: getattr(gap, name) for name in Gap.__slots__}
    return Gap(**{**values, "to_add": to_add})


def _amount(gap: Gap, unit: int) -> int:
    return (gap.documents, gap.words, gap.bytes)[unit]
