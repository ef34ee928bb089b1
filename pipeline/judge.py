"""Provenance of a staged shard: what its own evidence, its hosts, its controls and parallel pages say. No Beam.

Staged shards hold what detectors found in each document by itself. The verdict waits until the run's other pages have
been seen, and is left in a small Arrow file beside the shard, from which policy and writing take it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from detectors.provenance import Provenance, SoftFindings
from detectors.soft_evidence import find_soft_evidence
from detectors.strata import SCORE_COLUMNS
from pipeline.annotate import ShardReport
from pipeline.arrow_lists import combined, join_lists
from pipeline.decide import POLICY_COLUMNS, policy_reasons
from pipeline.host_scores import HEADS, host_says
from pipeline.keys import KEY_COLUMNS, keys_path, make_keys, write_arrow
from pipeline.standards import Standards
from schemas.config import CurateConfig
from schemas.document import PARALLEL_STRUCT, PROVENANCE
from schemas.evidence import EVIDENCE_STRUCT

# What hosts, controls and the fusion read of a staged document.
SCORED_COLUMNS = ("url", "fetched_at", "language", "page_type", "words", "content_hash", *SCORE_COLUMNS.values())
DATE_COLUMNS = ("page.published_at", "page.modified_at")
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
    for column in PROVENANCE:
        documents = documents.append_column(column, verdicts.column(column.name))
    return documents


def read_scored(folder: str | Path, name: str) -> pa.Table:
    """SCORED_COLUMNS of a staged shard."""
    path = Path(folder) / f"{name}.documents.parquet"
    return pq.read_table(path, columns=list(SCORED_COLUMNS), partitioning=None)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the rest of a run says about a shard.

    `hosts` are HOST_PAGES summed over the run, `parallel` a table of `pipeline.parallel_groups.PARALLEL`; both name
    what concerns this shard, and may be None.
    """

    standards: Standards = field(default_factory=Standards)
    hosts: pa.Table | None = None
    parallel: pa.Table | None = None

    def soft_findings(self, table: pa.Table) -> tuple[SoftFindings, pa.Array]:
        """Soft evidence of a shard's documents, and their PARALLEL_STRUCT."""
        parallel = parallel_structs(self.parallel, table.num_rows)
        hosts = None
        if self.hosts is not None:
            hosts = {head: host_says(table, self.hosts, head, self.standards) for head in HEADS}
        return find_soft_evidence(table, self.standards.calibrator, hosts, parallel), parallel


def parallel_structs(found: pa.Table | None, rows: int) -> pa.Array:
    """PARALLEL_STRUCT of every row of a shard, from the rows of PARALLEL that were found."""
    values: list[dict[str, object] | None] = [None] * rows
    for one in found.to_pylist() if found is not None else []:
        values[one["reference"] & 0xFFFFFFFF] = {name: one[name] for name in PARALLEL_STRUCT.names}
    return pa.array(values, PARALLEL_STRUCT)


def judge_shard(folder: str, report: ShardReport, config: CurateConfig, around: Surroundings) -> ShardReport:
    """Leave the provenance of a staged shard's documents beside it, and the keys that its policy needs."""
    path = Path(folder) / f"{report.name}.documents.parquet"
    columns = list(dict.fromkeys([*SCORED_COLUMNS, *DATE_COLUMNS, "evidence", *POLICY_COLUMNS, *KEY_COLUMNS]))
    table = pq.read_table(path, columns=columns, partitioning=None)
    soft, parallel = around.soft_findings(table)
    verdicts = judge_table(table, config, soft, parallel)
    write_arrow(verdicts_path(folder, report.name), verdicts)
    labels = verdicts.column("provenance_label")
    reasons = pa.array(policy_reasons(table.append_column("provenance_label", labels), config), pa.string())
    keys = make_keys(report.number, table, reasons, labels, config.policy.duplicates)
    write_arrow(keys_path(folder, report.name), keys)
    return report
