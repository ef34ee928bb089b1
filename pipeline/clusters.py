"""Labelled pages to verdicts: which page stands for its cluster, and what the others are to it. Pure; no Beam."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.arrow_lists import column
from pipeline.decide import VERDICTS
from pipeline.index import TAKEN_DOWN_REASON
from pipeline.match import OTHER_CAPTURE, OTHER_COPY, ROW, SEEN, starts_of

MEMBERS = pa.schema(
    [
        ("component", pa.uint64()),
        ("reference", pa.uint64()),
        ("rank", pa.uint64()),
        ("role", pa.int8()),
        ("doc_id", pa.string()),
        ("cluster_id", pa.string()),  # of pages of earlier runs: what stands for them, and in which run; else null
        ("cluster_run", pa.string()),
        ("taken_down", pa.bool_()),  # likewise; of pages of this run false
    ]
)


def describe_members(keys: pa.Table, roles: pa.Table, labels: pa.Table) -> pa.Table:
    """MEMBERS of a shard: what the choice of the page that stands needs to know of each labelled page."""
    rows = pa.array(column(labels, "reference") & ROW)
    described = keys.take(rows)
    nothing = pa.nulls(len(rows), pa.string())
    is_seen = "cluster_id" in keys.schema.names
    return pa.table(
        [
            labels.column("component"),
            labels.column("reference"),
            described.column("rank"),
            roles.column("role").take(rows),
            described.column("doc_id"),
            described.column("cluster_id") if is_seen else nothing,
            described.column("cluster_run") if is_seen else nothing,
            described.column("taken_down") if is_seen else pa.array(np.zeros(len(rows), bool)),
        ],
        schema=MEMBERS,
    )


def choose_canonical(members: pa.Table) -> pa.Table:
    """VERDICTS on the pages of this run: the preferred member stands for its component.

    Pages of earlier runs come first, of these what was taken down, so that nothing names it; the page that stands for
    theirs stands for all; a capture that lost to another of its address never stands; then smaller rank, then smaller
    reference.
    """
    component, reference, rank = (column(members, name) for name in ("component", "reference", "rank"))
    is_new = reference < SEEN
    role = np.asarray(members.column("role").combine_chunks())
    is_other_capture = role == OTHER_CAPTURE
    is_down = np.asarray(members.column("taken_down").combine_chunks())
    order = np.lexsort((reference, rank, is_other_capture, ~is_down, is_new, component))
    first = starts_of(component[order])
    starts = np.flatnonzero(first)
    sizes = np.diff(np.append(starts, len(order)))
    head = np.repeat(order[starts], sizes)
    kind = np.where(role[order] == OTHER_COPY, "exact_duplicate", "near_duplicate")
    kind = np.where(is_other_capture[order], "url_duplicate", kind)
    kind = np.where(is_down[head], TAKEN_DOWN_REASON, kind)
    heads = members.take(pa.array(head))
    verdicts = pa.table(
        [
            reference[order],
            pc.coalesce(heads.column("cluster_id"), heads.column("doc_id")),
            heads.column("cluster_run"),
            first & is_new[order],
            np.repeat(sizes, sizes).astype(np.int32),
            kind,
        ],
        schema=VERDICTS,
    )
    return verdicts.filter(pa.array(is_new[order]))
