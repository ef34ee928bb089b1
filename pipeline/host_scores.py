"""Scores by host: sums that travel, and what the other pages of a host say about each of its pages. No Beam."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from detectors.calibration import Calibrator
from detectors.controls import FIXED_POINT
from detectors.features.url_key import host_of
from detectors.hosts import MIN_PAGES, HostSums, judge_hosts, page_nats
from detectors.provenance import captured_within
from detectors.soft_evidence import HOST_HEADS, HostSays, strata_of
from detectors.strata import FIRST_CAPTURES, SCORE_COLUMNS, z_of_scores
from pipeline.arrow_lists import combined
from pipeline.standards import Standards

HEADS = tuple(HOST_HEADS)
HOST_PAGES = pa.schema(
    [
        ("host", pa.uint64()),  # xxh3-64 of the name
        ("shard", pa.uint64()),
        ("head", pa.int8()),  # index into HEADS
        ("language", pa.string()),
        ("pages", pa.int64()),
        ("total", pa.int64()),  # sum of z about the controls' mean, in units of 1/FIXED_POINT: exact in any order
        ("square", pa.int64()),
        ("controls", pa.int64()),  # fewest behind a page
    ]
)


def host_key(name: str | None) -> int:
    """xxh3-64 of a host's name; 0 without one."""
    return xxhash.xxh3_64_intdigest(name.encode("utf-8", "surrogateescape")) if name else 0


def _deviations(
    table: pa.Table, calibrator: Calibrator, head: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """z about the mean of the stratum's controls, NaN without them, and the number of controls."""
    z = z_of_scores(table.column(SCORE_COLUMNS[head]))
    found = calibrator(head, z, strata_of(table))
    fixed = np.round((z - found.mean) * FIXED_POINT) / FIXED_POINT
    return np.where(found.controls > 0, fixed, np.nan), found.controls


def _languages(table: pa.Table) -> list[str]:
    return [(language or "").partition("_")[0] for language in table.column("language").to_pylist()]


def _is_control(table: pa.Table, calibrator: Calibrator) -> npt.NDArray[np.bool_]:
    """Rows captured before the cut of the controls: a host's verdict is on what came after."""
    if calibrator.controls is None:
        return np.zeros(table.num_rows, bool)
    return captured_within(combined(table.column("fetched_at")), FIRST_CAPTURES, calibrator.controls.before)


def _is_first_copy(table: pa.Table) -> npt.NDArray[np.bool_]:
    """The first document of each text of a shard: copies and captures of one page say one thing, however many."""
    contents = table.column("content_hash").to_pylist()
    first = {content: row for row, content in reversed(list(enumerate(contents)))}
    return np.array([first[content] == row for row, content in enumerate(contents)], bool)


def host_pages(table: pa.Table, shard: int, standards: Standards) -> pa.Table:
    """HOST_PAGES of a shard's scored documents."""
    calibrator = standards.calibrator
    keys = np.array([host_key(host_of(url)) for url in table.column("url").to_pylist()], np.uint64)
    late = ~_is_control(table, calibrator) & (keys != 0) & _is_first_copy(table)
    parts = []
    for place, head in enumerate(HEADS):
        d, behind = _deviations(table, calibrator, head)
        rows = np.flatnonzero(late & np.isfinite(d))
        fixed = np.round(d[rows] * FIXED_POINT).astype(np.int64)
        pages = pa.table(
            {
                "host": keys[rows],
                "language": pa.array(_languages(table), pa.string()).take(pa.array(rows)),
                "total": fixed,
                "square": fixed * fixed,
                "controls": behind[rows].astype(np.int64),
            }
        )
        sums = pages.group_by(["host", "language"]).aggregate(
            [("total", "count"), ("total", "sum"), ("square", "sum"), ("controls", "min")]
        )
        count = sums.num_rows
        parts.append(
            pa.table(
                [
                    sums.column("host"),
                    pa.array(np.full(count, shard, np.uint64)),
                    pa.array(np.full(count, place, np.int8)),
                    sums.column("language"),
                    *(sums.column(name) for name in ("total_count", "total_sum", "square_sum", "controls_min")),
                ],
                schema=HOST_PAGES,
            )
        )
    return pa.concat_tables(parts)


def sum_hosts(pages: pa.Table) -> pa.Table:
    """The rows of HOST_PAGES with the sums over all shards in the place of their own; hosts with few pages are gone."""
    keys = ["host", "head", "language"]
    sums = pages.group_by(keys).aggregate([("pages", "sum"), ("total", "sum"), ("square", "sum"), ("controls", "min")])
    sums = sums.filter(pc.greater_equal(sums.column("pages_sum"), MIN_PAGES))
    joined = pages.select([*keys, "shard"]).join(sums, keys, join_type="inner")
    names = {"pages": "pages_sum", "total": "total_sum", "square": "square_sum", "controls": "controls_min"}
    return pa.table([joined.column(names.get(name, name)) for name in HOST_PAGES.names], schema=HOST_PAGES)


def host_says(table: pa.Table, hosts: pa.Table, head: str, standards: Standards) -> HostSays:
    """What the other pages of its host say about each document; `hosts` has the sums of the run."""
    calibrator, rows = standards.calibrator, table.num_rows
    says = HostSays(np.full(rows, np.nan), np.zeros(rows), np.zeros(rows, bool))
    mine = hosts.filter(pc.equal(hosts.column("head"), HEADS.index(head)))
    calibration = calibrator.calibration.heads.get(head)
    if not mine.num_rows or calibration is None:
        return says
    place = {
        (host, language): row
        for row, (host, language) in enumerate(
            zip(mine.column("host").to_pylist(), mine.column("language").to_pylist(), strict=True)
        )
    }
    languages = _languages(table)
    names = [host_key(host_of(url)) for url in table.column("url").to_pylist()]
    found = np.array([place.get(key, -1) for key in zip(names, languages, strict=True)], np.int64)
    d, _ = _deviations(table, calibrator, head)
    own = np.where(_is_control(table, calibrator), np.nan, d)
    columns = [np.asarray(mine.column(name)) for name in ("pages", "total", "square", "controls")]
    for language in sorted({languages[row] for row in np.flatnonzero(found >= 0).tolist()}):
        at = np.array([one == language for one in languages]) & (found >= 0)
        pages, total, square, behind = (column[found[at]] for column in columns)
        sums = HostSums(pages, total / FIXED_POINT, square / FIXED_POINT**2)
        offsets = standards.offsets(head, language)
        verdicts = judge_hosts(sums, offsets, calibration, behind)
        says.mean[at] = verdicts.mean
        says.nats[at] = page_nats(sums, own[at], offsets, calibration, behind)
        says.is_beyond[at] = verdicts.is_beyond
    return says
