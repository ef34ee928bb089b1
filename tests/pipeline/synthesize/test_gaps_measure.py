"""Shares, intervals and what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gaps_samples import document, table

from pipeline.runs import RunError
from pipeline.synthesize.gaps_documents import describe
from pipeline.synthesize.gaps_measure import Measured, measure, wanted_shares, wilson
from pipeline.synthesize.gaps_survey import MAX_STRATA, REPLICATES, Survey, Tally, host_weights, length_bins
from schemas.targets import GapTargets, Target

LABELS = ("human", "unknown")


def survey(rows: list[dict[str, object]], target: Target, batch: int = 50, unit: int = 0) -> Tally:
    named = list(target.shares) or None
    tally = Tally(target, unit, named, 5, "seed")
    counted = Survey([tally], (50, 4000))
    for part in table(rows).to_batches(max_chunksize=batch):
        counted.add(describe(part, 0, 0, 0, LABELS, counted.left_out))
    return tally


def measured(rows: list[dict[str, object]], target: Target, **config: object) -> Measured:
    values = GapTargets(targets=(target,), **config)  # type: ignore[arg-type]
    tally = survey(rows, target, unit=("documents", "words", "bytes").index(values.unit))
    return measure(tally, wanted_shares(target, sorted(tally.strata), None), values)


def test_weights_of_hosts_are_poisson_and_of_the_host_alone() -> None:
    hosts = np.arange(2000, dtype=np.uint64) * np.uint64(0x1234567) + np.uint64(99)
    weights = host_weights(hosts)
    assert weights.shape == (2000, REPLICATES)
    assert abs(weights.mean() - 1) < 0.01
    assert abs(weights.var() - 1) < 0.02
    assert abs(np.corrcoef(weights[:, 0], weights[:, 1])[0, 1]) < 0.1
    assert (host_weights(hosts[5:7]) == weights[5:7]).all()


def test_wilson() -> None:
    low, high = wilson(0.5, 100, 0.95)
    assert (round(low, 4), round(high, 4)) == (0.4038, 0.5962)
    assert wilson(0.0, 20, 0.95)[0] == 0
    assert round(wilson(0.0, 20, 0.95)[1], 3) == 0.161
    assert wilson(0.0, 0, 0.95) == (0.0, 1.0)


def test_missing_and_to_add() -> None:
    rows = [document(n, language="deu" if n < 10 else "eng") for n in range(100)]
    found = measured(rows, Target(by="language", shares={"eng": 0.5, "deu": 0.5}))
    gap = found.gaps[0]
    assert (gap.key, gap.thin, gap.documents, gap.share) == ("deu", "share", 10, 0.1)
    assert gap.missing_documents == 40
    assert gap.missing_low < 40 < gap.missing_high
    assert gap.to_add == 80  # 90 and 90
    assert found.gaps[1].thin is None


def test_what_is_added_brings_all_thin_strata_to_their_targets() -> None:
    languages = ["eng"] * 180 + ["deu"] * 10 + ["fra"] * 10
    rows = [document(n, language=one) for n, one in enumerate(languages)]
    target = Target(by="language", shares={"eng": 0.4, "deu": 0.2, "fra": 0.2})
    gaps = {gap.key: gap for gap in measured(rows, target).gaps}
    grown = 200 + sum(gap.to_add for gap in gaps.values())
    for key in ("deu", "fra"):
        assert (gaps[key].documents + gaps[key].to_add) / grown == pytest.approx(0.2, abs=0.005)
    assert gaps["eng"].to_add == 0


def test_pages_of_one_host_count_as_few() -> None:
    """80 of 1,000 documents are surely too few where hosts are many, and not where they come from few."""
    target = Target(by="language", shares={"deu": 0.15})
    many = [document(n, language="deu" if n % 25 < 2 else "eng") for n in range(1000)]
    few = [document(n, language="deu" if n < 80 else "eng", url=f"https://h{n // 40}.com/{n}") for n in range(1000)]
    alone, together = measured(many, target).gaps[0], measured(few, target).gaps[0]
    assert alone.share == together.share == 0.08
    assert alone.thin == "share"
    assert together.thin is None
    assert together.high is not None
    assert alone.high is not None
    assert together.high - 0.08 > 2 * (alone.high - 0.08)


def test_intervals_hold_the_true_share_nearly_always() -> None:
    """80 hosts of 1 to 30 pages, three in ten of them mostly German: 95 % intervals, 120 corpora."""
    rng = np.random.default_rng(5)
    target, held = Target(by="language", shares={"deu": 0.5}), 0
    config = GapTargets(targets=(target,))
    for _ in range(120):
        sizes = rng.integers(1, 31, 80)
        rates = np.where(rng.random(80) < 0.3, 0.9, 0.1)  # in all 0.34
        tally = Tally(target, 0, ["deu"], 0, "")
        weights = host_weights(rng.integers(0, 2**63, 80).astype(np.uint64))
        german = rng.binomial(sizes, rates)
        for key, counts in (("deu", german), ("(other)", sizes - german)):
            stratum = tally._stratum(key)
            stratum.amounts += np.array([counts.sum(), 0, 0])
            stratum.replicates += counts @ weights
        gap = next(g for g in measure(tally, wanted_shares(target, [], None), config).gaps if g.key == "deu")
        assert gap.low is not None
        assert gap.high is not None
        held += gap.low <= 0.34 <= gap.high
    assert held >= 108


def test_shares_that_sum_to_one_leave_other_values_out() -> None:
    rows = [document(n, language=("deu", "eng", "fra", "fra")[n % 4]) for n in range(80)]
    closed = measured(rows, Target(by="language", shares={"eng": 0.5, "deu": 0.5}))
    assert (closed.documents, closed.other, closed.gaps[0].share) == (40, 40, 0.5)
    left = measured(rows, Target(by="language", shares={"eng": 0.25, "deu": 0.25}))
    assert (left.documents, left.other) == (80, 0)
    assert [gap.key for gap in left.gaps][-1] == "(other)"


def test_minimum_and_unknown_and_where() -> None:
    rows = [document(n, language="deu" if n < 20 else None, page_type="forum" if n < 3 else None) for n in range(30)]
    found = measured(
        rows, Target(by="register", where={"language": "deu"}, shares={"forum": 0.1}), minimum_documents=50
    )
    assert (found.asked, found.unknown, found.documents) == (20, 17, 3)
    assert (found.gaps[0].thin, found.gaps[0].to_add) == ("minimum", 47)


def test_nothing_to_count() -> None:
    found = measured([], Target(by="language", shares={"eng": 0.5}))
    assert (found.documents, found.gaps[0].share, found.gaps[0].thin, found.gaps[0].to_add) == (0, None, None, 0)
    assert measured([], Target(by="language", uniform=True)).gaps == ()
    wanted = measured([], Target(by="language", shares={"eng": 0.5}), minimum_documents=7)
    assert wanted.gaps[0].to_add == 7


def test_units() -> None:
    rows = [document(n, language="deu" if n % 2 else "eng", words=100 if n % 2 else 900) for n in range(100)]
    found = measured(rows, Target(by="language", shares={"deu": 0.5, "eng": 0.5}), unit="words")
    gap = found.gaps[0]
    assert (gap.key, gap.share, gap.missing_words, gap.missing_documents) == ("deu", 0.1, 20_000, 200)
    assert gap.to_add == 400


def test_order_and_batches_make_no_difference() -> None:
    rows = [document(n, language=("deu", "eng")[n % 3 == 0], url=f"https://h{n % 7}.de/{n}") for n in range(120)]
    target = Target(by="language", shares={"deu": 0.5})
    one, other = survey(rows, target), survey(rows[::-1], target, batch=13)
    for key, stratum in one.strata.items():
        again = other.strata[key]
        assert (stratum.amounts == again.amounts).all()
        assert (stratum.replicates == again.replicates).all()
        assert (stratum.lengths == again.lengths).all()
    seeds = [[s.doc_id for s in t.strata["deu"].seeds.values()] for t in (one, other)]  # type: ignore[union-attr]
    assert seeds[0] == seeds[1]
    assert len(seeds[0]) == 5


def test_too_many_strata_are_refused() -> None:
    tally = Tally(Target(by="language", uniform=True), 0, None, 0, "")
    for number in range(MAX_STRATA):
        tally._stratum(str(number))
    with pytest.raises(RunError, match="name those wanted"):
        tally._stratum("more")


def test_lengths() -> None:
    assert length_bins(np.array([0, 1, 2, 1023, 1024, 10**12])).tolist() == [0, 0, 4, 39, 40, 95]


def test_files_that_are_no_documents(tmp_path: Path) -> None:
    from pipeline.synthesize.gaps_documents import find_files, read_documents

    path = tmp_path / "x.parquet"
    path.write_bytes(b"no parquet")
    with pytest.raises(RunError, match="cannot be read as Parquet"):
        list(read_documents(find_files([str(path)])[0], LABELS))
    with pytest.raises(RunError, match="given twice"):
        find_files([str(path), str(path)])
    with pytest.raises(RunError, match="is not there"):
        find_files([str(tmp_path / "none")])
    with pytest.raises(RunError, match="no finished run"):
        find_files([str(tmp_path)])
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": ["a"]}), path)
    with pytest.raises(RunError, match="no column 'doc_id'"):
        list(read_documents(find_files([str(path)])[0], LABELS))
