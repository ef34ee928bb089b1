"""Verdicts of shards: lists that are joined, sums of hosts, and what hosts say about a page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.controls import ControlSet
from detectors.provenance import SoftFindings
from detectors.strata import SCORE_COLUMNS
from pipeline.arrow_lists import join_lists
from pipeline.host_scores import HOST_PAGES, host_pages, host_says, sum_hosts
from pipeline.judge import Surroundings, judge_table, parallel_structs, with_verdicts
from pipeline.provenance import merge_controls
from pipeline.standards import Standards, controls_of
from schemas.config import CurateConfig
from schemas.document import PAGE_STRUCT, PARALLEL_STRUCT, TIMESTAMP
from schemas.evidence import EVIDENCE_STRUCT

EARLY = datetime(2021, 6, 1, tzinfo=UTC)
LATE = datetime(2024, 6, 1, tzinfo=UTC)
MODELS = {"ai_text": "0" * 16, "translated_text": "1" * 16}


def score(z: Any) -> Any:
    return 1 / (1 + np.exp(-np.asarray(z, float)))


def scored(z: Any, hosts: list[str | None], when: datetime | None, language: str = "eng_Latn") -> pa.Table:
    """Documents with an ai_text score and nothing else."""
    rows = len(hosts)
    columns: dict[str, Any] = {
        "url": pa.array([None if host is None else f"https://{host}/{i}" for i, host in enumerate(hosts)], pa.string()),
        "fetched_at": pa.array([when] * rows, TIMESTAMP),
        "language": pa.array([language] * rows, pa.string()),
        "page_type": pa.array(["article"] * rows, pa.string()),
        "words": pa.array([300] * rows, pa.int32()),
        "content_hash": pa.array([row.to_bytes(16, "big") for row in range(rows)], pa.binary(16)),
        "evidence": pa.array([[]] * rows, pa.list_(EVIDENCE_STRUCT)),
    }
    for head, name in SCORE_COLUMNS.items():
        values = score(z) if head == "ai_text" else [None] * rows
        columns[name] = pa.array(values, pa.float32())
    return pa.table(columns)


@pytest.fixture(scope="module")
def controls() -> Standards:
    """600 dated pages of 60 hosts, hosts a little apart."""
    random = np.random.default_rng(3)
    hosts = [f"h{i // 10}.example" for i in range(600)]
    offsets = np.repeat(random.normal(0, 0.15, 60), 10)
    return Standards(controls_of(scored(random.normal(-1, 1, 600) + offsets, [*hosts], EARLY), MODELS).to_json())


entries = st.lists(st.lists(st.integers(-5, 5), max_size=4), max_size=12)


@given(entries, st.randoms())
def test_lists_are_joined_row_by_row(first: list[list[int]], random: Any) -> None:
    second = [[random.randint(-5, 5) for _ in range(random.randint(0, 3))] for _ in first]
    kind = pa.list_(pa.int64())
    joined = join_lists(pa.array(first, kind), pa.array(second, kind))
    assert joined.to_pylist() == [a + b for a, b in zip(first, second, strict=True)]
    sliced = pa.array([[9], *first], kind)[1:]
    assert join_lists(sliced, pa.array(second, kind)).to_pylist() == joined.to_pylist()


def test_an_ai_host_among_human_ones(controls: Standards) -> None:
    """Pages that say little each, on one host, are beyond the threshold together; pages of a human host are not."""
    random = np.random.default_rng(5)
    z = np.concatenate([random.normal(0.6, 1, 60), random.normal(-1, 1, 60), [0.6]])
    names: list[str | None] = ["ai.example"] * 60 + ["human.example"] * 60 + ["single.example"]
    table = scored(z, names, LATE)
    pages = sum_hosts(host_pages(table, 0, controls))
    says = host_says(table, pages, "ai_text", controls)
    assert says.is_beyond[:60].all()
    assert not says.is_beyond[60:].any()
    assert (says.nats[:60] > 0).all()
    assert (says.nats[60:120] < 0).all()
    assert says.nats[120] == 0


def test_copies_of_a_page_count_once(controls: Standards) -> None:
    table = scored([2.0] * 9, ["copies.example"] * 9, LATE)
    place = table.schema.get_field_index("content_hash")
    table = table.set_column(place, "content_hash", pa.array([bytes(16)] * 9, pa.binary(16)))
    assert host_pages(table, 0, controls).column("pages").to_pylist() == [1]


def test_a_host_neither_labels_nor_acquits_a_page(controls: Standards) -> None:
    """Half of the host is generated: its human pages stay unlabelled, its generated ones keep their label."""
    random = np.random.default_rng(11)
    z = np.concatenate([random.normal(3.0, 0.3, 30), random.normal(-1, 1, 30)])
    table = scored(z, ["mixed.example"] * 60, LATE)
    pages = sum_hosts(host_pages(table, 0, controls))
    with_host, _ = Surroundings(controls, pages).soft_findings(table)
    alone, _ = Surroundings(controls).soft_findings(table)
    labels = judge_table(table, CurateConfig(), with_host, None).column("provenance_label").to_pylist()
    by_itself = judge_table(table, CurateConfig(), alone, None).column("provenance_label").to_pylist()
    assert [one == "ai_generated" for one in labels] == [one == "ai_generated" for one in by_itself]
    assert labels[:30].count("ai_generated") >= 28


@pytest.mark.parametrize("year", [1, 1970])
def test_a_date_from_before_the_web_is_no_date(year: int) -> None:
    table = scored([0.0] * 3, [None] * 3, datetime(year, 1, 1, tzinfo=UTC))
    assert controls_of(table, MODELS).counts["used"] == 0
    judged = judge_table(table, CurateConfig(), SoftFindings(basis=[None] * 3), None)
    assert judged.column("provenance_label").to_pylist() == ["unknown"] * 3


def test_sums_of_hosts_do_not_depend_on_shards_or_order(controls: Standards) -> None:
    random = np.random.default_rng(6)
    hosts: list[str | None] = [f"w{i % 7}.example" for i in range(140)]
    table = scored(random.normal(0, 1, 140), hosts, LATE)
    whole = sum_hosts(host_pages(table, 0, controls))
    parts = [host_pages(table.slice(i * 20, 20), i, controls) for i in range(7)]
    split = sum_hosts(pa.concat_tables(parts[::-1]))

    def sums(rows: pa.Table) -> set[tuple[Any, ...]]:
        return {tuple(v for k, v in row.items() if k != "shard") for row in rows.to_pylist()}

    assert sums(whole) == sums(split)
    assert len(whole) == 7
    assert {row["pages"] for row in whole.to_pylist()} == {20}


def test_hosts_with_few_pages_and_early_pages_do_not_travel(controls: Standards) -> None:
    few = scored([0.0] * 4, ["few.example"] * 4, LATE)
    assert sum_hosts(host_pages(few, 0, controls)).num_rows == 0
    old = scored([0.0] * 9, ["old.example"] * 9, EARLY)
    assert host_pages(old, 0, controls).num_rows == 0
    assert host_pages(scored([0.0] * 9, [None] * 9, LATE), 0, controls).num_rows == 0
    assert host_pages(few.slice(0, 0), 0, controls).schema == HOST_PAGES


def test_controls_of_shards_merge_in_any_order() -> None:
    random = np.random.default_rng(8)
    tables = [scored(random.normal(0, 1, 30), [f"m{i}.example"] * 30, EARLY) for i in range(4)]
    parts = [controls_of(table, MODELS).to_json() for table in tables]
    one = merge_controls(parts)
    assert one == merge_controls([merge_controls(parts[2:]), "", *parts[:2]])
    assert ControlSet.from_json(one).counts["used"] == 120
    assert merge_controls([]) == ""
    undated = controls_of(scored([0.0] * 5, [None] * 5, None), MODELS).to_json()
    whole = merge_controls([*parts, undated])
    assert whole == merge_controls([parts[0], merge_controls([undated, parts[1]]), *parts[2:]])
    assert ControlSet.from_json(whole).counts["undated"] == 5


def test_a_page_with_controls_gets_probabilities_and_one_without_does_not(controls: Standards) -> None:
    table = scored([-1.5, 4.0, -1.5], [None] * 3, LATE)
    config = CurateConfig()
    soft, parallel = Surroundings(controls).soft_findings(table)
    judged = judge_table(table, config, soft, parallel)
    assert judged.column("provenance_basis").to_pylist() == ["conformal"] * 3
    assert judged.column("provenance_label").to_pylist()[:2] == ["human", "ai_generated"]
    without, _ = Surroundings().soft_findings(table.slice(0, 1))
    assert judge_table(table.slice(0, 1), config, without, None).column("p_human").null_count == 1
    other, _ = Surroundings(controls).soft_findings(scored([-1.5], [None], LATE, "deu_Latn"))
    assert other.basis == [None]


def test_a_page_that_says_it_is_older_speaks_against_a_model(controls: Standards) -> None:
    table = scored([2.2] * 4, [None] * 4, LATE)
    old, new = datetime(2014, 4, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
    pairs = [(old, None), (old, old), (old, new), (None, None)]
    pages = [{"published_at": one, "modified_at": two} for one, two in pairs]
    table = table.append_column("page", pa.array(pages, PAGE_STRUCT))
    soft, parallel = Surroundings(controls).soft_findings(table)
    p = judge_table(table, CurateConfig(), soft, parallel).column("p_ai_generated").to_pylist()
    assert p[0] == p[1] < p[2] == p[3]


def test_a_page_without_text_is_unknown_whatever_its_date() -> None:
    table = scored([0.0, 0.0], [None, None], EARLY)
    place = table.schema.get_field_index("words")
    table = table.set_column(place, "words", pa.array([0, 300], pa.int32()))
    judged = judge_table(table, CurateConfig(), SoftFindings(basis=[None, None]), None)
    assert judged.column("provenance_label").to_pylist() == ["unknown", "human"]


def test_fused_evidence_stands_behind_the_findings(controls: Standards) -> None:
    table = scored([3.0], [None], LATE)
    mark = {"detector": "translation_marks", "signal": "google_lang", "value": 1.0, "weight": 9.0}
    finding = {**mark, "start": None, "end": None}
    place = table.schema.get_field_index("evidence")
    table = table.set_column(place, "evidence", pa.array([[finding]], pa.list_(EVIDENCE_STRUCT)))
    soft, parallel = Surroundings(controls).soft_findings(table)
    full = with_verdicts(table, judge_table(table, CurateConfig(), soft, parallel))
    assert [e["detector"] for e in full.column("evidence")[0].as_py()] == ["translation_marks", "ai_text"]
    assert full.column("provenance_label").to_pylist() == ["machine_translated"]


def test_parallel_rows_find_their_documents() -> None:
    one = {"group": "a" * 32, "languages": 7, "is_source": False, "confidence": 0.9}
    found = pa.table({"reference": pa.array([(5 << 32) + 2], pa.uint64()), **{k: [v] for k, v in one.items()}})
    structs = parallel_structs(found, 4)
    assert structs.type == PARALLEL_STRUCT
    assert [s is not None for s in structs.to_pylist()] == [False, False, True, False]
