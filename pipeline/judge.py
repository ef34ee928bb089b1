"""Provenance of a staged shard: what its own evidence, its hosts, its controls and parallel pages say. No Beam.

Staged shards hold what detectors found in each document by itself. The verdict waits until the run's other pages have
been seen, and is left in a small Arrow file beside the shard, from which policy and writing take it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from detectors.calibration import Calibrator, load_calibration
from detectors.controls import DEFAULT_BEFORE, FIXED_POINT, ControlsError, ControlSet
from detectors.features.url_key import host_of
from detectors.hosts import MIN_PAGES, HostSums, Offsets, control_hosts, estimate_offsets, judge_hosts, page_nats
from detectors.provenance import Provenance, SoftFindings
from detectors.soft_evidence import HOST_HEADS, HostSays, find_soft_evidence, strata_of
from detectors.strata import SCORE_COLUMNS, z_of_scores
from pipeline.annotate import ShardReport
from pipeline.decide import KEY_COLUMNS, prepare_keys, write_arrow
from schemas.config import CurateConfig
from schemas.document import PARALLEL_STRUCT, PROVENANCE
from schemas.evidence import EVIDENCE_STRUCT

# What hosts, controls and the fusion read of a staged document.
SCORED_COLUMNS = ("url", "fetched_at", "language", "page_type", "words", *SCORE_COLUMNS.values())
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
VERDICT_COLUMNS = pa.schema([*PROVENANCE, pa.field("fused_evidence", pa.list_(EVIDENCE_STRUCT))])


def verdicts_path(folder: str | Path, name: str) -> Path:
    """Where the provenance of a shard's documents is."""
    return Path(folder) / f"{name}.provenance.arrow"


def fusion_of(config: CurateConfig) -> Provenance:
    """The fusion that a configuration asks for."""
    return Provenance(config.provenance.prior.model_dump(), config.provenance.human_from)


def judge_table(table: pa.Table, config: CurateConfig, soft: SoftFindings, parallel: pa.Array | None) -> pa.Table:
    """VERDICT_COLUMNS of staged documents; one row a document. `parallel` is a PARALLEL_STRUCT a row."""
    evidence = combined(table.column("evidence"))
    # A date says who wrote a text, so it says nothing of a page without one.
    has_text = pc.greater(pc.fill_null(table.column("words"), 0), 0)
    dates = pc.if_else(has_text, table.column("fetched_at"), pa.scalar(None, table.column("fetched_at").type))
    columns, added = fusion_of(config).fuse(evidence, combined(dates), soft)
    columns["parallel"] = parallel if parallel is not None else pa.nulls(table.num_rows, PARALLEL_STRUCT)
    columns["fused_evidence"] = added
    return pa.table([columns[name] for name in VERDICT_COLUMNS.names], schema=VERDICT_COLUMNS)


def with_verdicts(documents: pa.Table, verdicts: pa.Table) -> pa.Table:
    """Documents with their provenance columns, and the evidence of the fusion behind their own."""
    evidence = join_lists(combined(documents.column("evidence")), combined(verdicts.column("fused_evidence")))
    place = documents.schema.get_field_index("evidence")
    documents = documents.set_column(place, documents.schema.field("evidence"), evidence)
    for field in PROVENANCE:
        documents = documents.append_column(field, verdicts.column(field.name))
    return documents


def combined(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array."""
    joined = column.combine_chunks()
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def join_lists(first: pa.Array, second: pa.Array) -> pa.Array:
    """Row by row, the entries of one list column and then those of the other, which has the same type."""
    values = pa.concat_arrays([pc.list_flatten(first), pc.list_flatten(second)])
    lengths = [np.asarray(pc.fill_null(pc.list_value_length(one), 0), np.int64) for one in (first, second)]
    offsets = np.concatenate(([0], np.cumsum(lengths[0] + lengths[1])))
    place = np.empty(len(values), np.int64)
    place[: int(lengths[0].sum())] = _places(offsets[:-1], lengths[0])
    place[int(lengths[0].sum()) :] = _places(offsets[:-1] + lengths[0], lengths[1])
    order = np.empty_like(place)
    order[place] = np.arange(len(place))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values.take(pa.array(order)), type=first.type)


def _places(starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """`start, start + 1, …` for every row, one after the other."""
    within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    places: npt.NDArray[np.int64] = np.repeat(starts, lengths) + within
    return places


def read_controls(config: CurateConfig, models: Mapping[str, str]) -> str:
    """JSON of the controls that a configuration names; empty where it names none. `models`: fingerprints by detector.

    Raises:
        ControlsError: no such file, no controls, or controls of other text models.
    """
    path = config.provenance.controls
    if path is None:
        return ""
    try:
        controls = ControlSet.from_json(Path(path).read_text(encoding="utf-8"))
        controls.require(models)
    except (OSError, UnicodeDecodeError) as error:
        raise ControlsError(
            f"{path}: cannot be read ({error}); `headwater controls build` writes such a file"
        ) from None
    except ControlsError as error:
        raise ControlsError(f"{path}: {error}") from None
    return controls.to_json()


def provenance_fingerprints(config: CurateConfig) -> dict[str, str]:
    """`name/version` of the fusion and of what it was calibrated with, and the digest of each."""
    fusion = fusion_of(config)
    found = {f"{fusion.name}/{fusion.version}": fusion.fingerprint(), "calibration": load_calibration().digest()}
    if config.provenance.controls is not None:
        found["controls"] = ControlSet.from_json(Path(config.provenance.controls).read_text(encoding="utf-8")).digest()
    return found


@lru_cache(maxsize=2)
def calibrator_of(controls: str) -> Calibrator:
    """The shipped calibration with the controls of a JSON text; with none where it is empty."""
    return Calibrator(load_calibration(), ControlSet.from_json(controls) if controls else None)


@lru_cache(maxsize=64)
def offsets_of(controls: str, head: str, language: str) -> Offsets | None:
    """How the human hosts of a language differ, by the controls; None where too few hosts tell."""
    calibrator = calibrator_of(controls)
    if calibrator.controls is None:
        return None
    return estimate_offsets(control_hosts(calibrator.controls.hosts, calibrator, head, language))


def read_scored(folder: str | Path, name: str) -> pa.Table:
    """SCORED_COLUMNS of a staged shard."""
    path = Path(folder) / f"{name}.documents.parquet"
    return pq.read_table(path, columns=list(SCORED_COLUMNS), partitioning=None)


def controls_of(table: pa.Table, models: Mapping[str, str], before: datetime = DEFAULT_BEFORE) -> ControlSet:
    """Controls among scored documents: those that are human by their date. `models` are fingerprints by detector."""
    scores = {head: combined(table.column(column)) for head, column in SCORE_COLUMNS.items()}
    hosts = [host_of(url) for url in table.column("url").to_pylist()]
    return ControlSet.collect(scores, strata_of(table), combined(table.column("fetched_at")), hosts, models, before)


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
    cut = pa.scalar(int(calibrator.controls.before.timestamp() * 1_000_000), pa.int64())
    return np.asarray(pc.fill_null(pc.less(pc.cast(table.column("fetched_at"), pa.int64()), cut), False), bool)


def host_pages(table: pa.Table, shard: int, controls: str) -> pa.Table:
    """HOST_PAGES of a shard's scored documents."""
    calibrator = calibrator_of(controls)
    keys = np.array([host_key(host_of(url)) for url in table.column("url").to_pylist()], np.uint64)
    late = ~_is_control(table, calibrator) & (keys != 0)
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


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the rest of a run says about a shard.

    `controls` is the JSON of a ControlSet or empty, `hosts` HOST_PAGES summed over the run, `parallel` a table of
    `pipeline.parallelism.PARALLEL`; both name what concerns this shard, and may be None.
    """

    controls: str = ""
    hosts: pa.Table | None = None
    parallel: pa.Table | None = None

    def soft_findings(self, table: pa.Table) -> tuple[SoftFindings, pa.Array]:
        """Soft evidence of a shard's documents, and their PARALLEL_STRUCT."""
        parallel = parallel_structs(self.parallel, table.num_rows)
        hosts = {head: self._host_says(table, head) for head in HEADS} if self.hosts is not None else None
        return find_soft_evidence(table, calibrator_of(self.controls), hosts, parallel), parallel

    def _host_says(self, table: pa.Table, head: str) -> HostSays:
        """What the other pages of its host say about each row."""
        calibrator, rows = calibrator_of(self.controls), table.num_rows
        says = HostSays(np.full(rows, np.nan), np.zeros(rows), np.zeros(rows, bool))
        assert self.hosts is not None
        mine = self.hosts.filter(pc.equal(self.hosts.column("head"), HEADS.index(head)))
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
            offsets = offsets_of(self.controls, head, language)
            verdicts = judge_hosts(sums, offsets, calibration, behind)
            says.mean[at] = verdicts.mean
            says.nats[at] = page_nats(sums, own[at], offsets, calibration, behind)
            says.is_beyond[at] = verdicts.is_beyond
        return says


def parallel_structs(found: pa.Table | None, rows: int) -> pa.Array:
    """PARALLEL_STRUCT of every row of a shard, from the rows of PARALLEL that were found."""
    values: list[dict[str, object] | None] = [None] * rows
    for one in found.to_pylist() if found is not None else []:
        values[one["reference"] & 0xFFFFFFFF] = {name: one[name] for name in PARALLEL_STRUCT.names}
    return pa.array(values, PARALLEL_STRUCT)


def judge_shard(folder: str, report: ShardReport, config: CurateConfig, around: Surroundings) -> ShardReport:
    """Leave the provenance of a staged shard's documents beside it, and the keys that its policy needs."""
    path = Path(folder) / f"{report.name}.documents.parquet"
    columns = list(dict.fromkeys([*SCORED_COLUMNS, "evidence", *KEY_COLUMNS]))
    table = pq.read_table(path, columns=columns, partitioning=None)
    soft, parallel = around.soft_findings(table)
    verdicts = judge_table(table, config, soft, parallel)
    write_arrow(verdicts_path(folder, report.name), verdicts)
    prepare_keys(folder, report, table.append_column("provenance_label", verdicts.column("provenance_label")), config)
    return report
