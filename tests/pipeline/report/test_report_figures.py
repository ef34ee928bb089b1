"""Figures: sums are exact, counts equal what is in the files, examples are short and redacted."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fake_report_run import fake_run

from pipeline.report.figures import STEPS, compute_figures, read_batches, run_files, step_of
from pipeline.report.queries import QUERIES
from pipeline.report.redact import EXCERPT_CHARACTERS, excerpt, redact, visible
from pipeline.report.tally import Best, CappedCounter, Lengths


@pytest.fixture(scope="module", params=[True, False], ids=["hostile", "clean"])
def run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    root = tmp_path_factory.mktemp("run")
    manifest = fake_run(root, hostile=request.param)
    return root, manifest, compute_figures(root, manifest)


def test_waterfall_sums_exactly(run: Any) -> None:
    _, manifest, figures = run
    rows = figures["waterfall"]
    assert rows[0]["pages"] == manifest["counts"]["pages"]
    assert rows[0]["pages"] - sum(row["pages"] for row in rows[1:-1]) == rows[-1]["pages"] == rows[-2]["left"] == 200
    assert figures["totals"]["balanced"]
    steps = [row["step"] for row in rows]
    assert steps.index("Duplicates") > steps.index("Quality rules") > steps.index("Response and address")
    assert {"Other rules", "Failed", "Kept"} <= set(steps)


def test_every_part_sums_to_the_documents(run: Any) -> None:
    _, _, figures = run
    assert sum(row["documents"] for row in figures["provenance"]) == 200
    for row in figures["provenance"]:
        assert row["documents"] == row["train"] + row["validation"] + row["test"]
    for name in ("languages", "hosts", "top_level_domains", "page_types"):
        assert sum(row["documents"] for row in figures[name]["rows"]) + figures[name]["rest"] == 200
    dates = figures["dates"]
    assert sum(row["documents"] for row in dates["months"]) + dates["unknown"] == 200
    assert sum(row["documents"] for row in dates["years"]) + dates["unknown"] == 200
    assert sum(row["documents"] for row in figures["lengths"]["bins"]) == 200
    confidence = figures["confidence"]
    assert sum(row["documents"] for row in confidence["bins"]) + confidence["unknown"] == 200
    assert {row["from"] for row in confidence["bins"] if row["documents"]} == {0.0, 0.5, 0.9, 0.95}
    sources = figures["sources"]["rows"]
    assert all(row["pages"] == row["kept"] + row["dropped"] + row["failed"] for row in sources)
    assert sum(row["pages"] for row in sources) == figures["totals"]["pages"]


def test_counts_equal_a_plain_count(run: Any) -> None:
    root, manifest, figures = run
    rows = [row for name in run_files(root, manifest, "data") for row in pq.read_table(root / name).to_pylist()]
    lengths = sorted(len(row["text"]) for row in rows)
    assert figures["totals"]["characters"] == sum(lengths)
    assert figures["lengths"]["largest"] == lengths[-1]
    assert figures["lengths"]["quantiles"]["0.5"] == lengths[99]
    want = Counter((e["detector"], e["signal"]) for row in rows for e in row["evidence"])
    documents = Counter(key for row in rows for key in {(e["detector"], e["signal"]) for e in row["evidence"]})
    plain = {(row["detector"], row["signal"]): row for row in figures["evidence"]}
    for key in (("ai_artefacts", "markdown"), ("translation_marks", "weglot")):
        assert (plain[key]["findings"], plain[key]["documents"]) == (want[key], documents[key])
        assert plain[key]["share"] == documents[key] / 200
    opted = Counter(one for row in rows for one in (row["rights"] or {}).get("opt_out", []))
    assert {r["key"]: r["documents"] for r in figures["rights"]["opt_outs"]["rows"]}["noai"] == opted["noai"]
    assert figures["personal_data"] == [{"kind": "email", "documents": sum(bool(r["personal_data"]) for r in rows)}]


def test_examples_are_the_strongest(run: Any) -> None:
    root, manifest, figures = run
    rows = [row for name in run_files(root, manifest, "data") for row in pq.read_table(root / name).to_pylist()]

    def strength(finding: dict[str, Any]) -> float:
        value = finding["value"]
        return -abs(value) if value is not None and np.isfinite(value) else 1.0

    found = sorted(
        (strength(e), row["doc_id"])
        for row in rows
        for e in row["evidence"]
        if (e["detector"], e["signal"]) == ("translation_marks", "weglot")
    )
    examples = next(row for row in figures["evidence"] if row["signal"] == "weglot")["examples"]
    assert [e["doc_id"] for e in examples] == [doc_id for _, doc_id in found[:10]]


def test_examples_are_short_and_redacted(run: Any) -> None:
    _, _, figures = run
    for row in figures["evidence"]:
        assert 1 <= len(row["examples"]) <= 10
        assert len({e["doc_id"] for e in row["examples"]}) == len(row["examples"])
        for example in row["examples"]:
            assert len("".join(example["excerpt"].values())) <= EXCERPT_CHARACTERS
            assert example["url"] is None or len(example["url"]) <= 200
    text = json.dumps(figures, ensure_ascii=False, allow_nan=False)
    for secret in (
        "jane.doe",
        "mail.example.org",
        "203.0.113.9",
        "2001:db8",
        "10.0.0.7",
        "192.0.2.1",
        "secret-host-name",
    ):
        assert secret not in text
    assert not any(character in text for character in "\u202e\u2066\u200b\ufe0f\u0007")


def test_excerpt_keeps_the_span_and_hides_addresses_at_its_edges() -> None:
    text = "a" * 500 + " first.last@host.example " + "b" * 90 + " MATCH here " + "c" * 500
    start = text.index("MATCH")
    found = excerpt(text, start, start + 5)
    assert found["match"] == "MATCH"
    assert len("".join(found.values())) == EXCERPT_CHARACTERS
    inside = excerpt(text, text.index("last@"), text.index("last@") + 9)
    assert "last" not in "".join(inside.values())
    assert "[e-mail]" in inside["before"] + inside["match"]
    assert excerpt("short", 0, 5) == {"before": "", "match": "short", "after": ""}
    assert excerpt("short", None, None)["before"] == "short"
    assert excerpt("short", 3, 99)["match"] == ""
    assert len("".join(excerpt("\u200bx" * 5000, 0, 9000).values())) <= EXCERPT_CHARACTERS


def test_redaction() -> None:
    assert redact("https://x.example/?mail=a.b%40c.example&z=1") == "https://x.example/?mail=[e-mail]&z=1"
    assert (
        redact("at 12:30:45 on 203.0.113.9, ::1 and fe80::1")
        == "at 12:30:45 on [IP address], [IP address] and [IP address]"
    )
    assert visible("a\u202eb\n\tc\u200b\u200b") == "a⟨U+202E⟩b c⟨U+200B ×2⟩"


def test_failures_name_the_first_places(run: Any) -> None:
    root, manifest, figures = run
    rows = pq.read_table(root / "failures/part-00000-of-00001.parquet").to_pylist()
    assert sum(row["count"] for row in figures["failures"]) == sum(row["unit"] == "page" for row in rows)
    assert sum(row["count"] for row in figures["regions"]) == manifest["counts"]["regions"]["truncated"]
    places = sorted((r["source_file"], r["source_offset"]) for r in rows if r["code"] == "cpu_limit")
    shown = next(row for row in figures["failures"] if row["code"] == "cpu_limit")["examples"]
    assert [e["source_offset"] for e in shown] == [offset for _, offset in places[:3]]


def test_files_that_disagree_with_the_manifest_are_told(tmp_path: Path) -> None:
    manifest = fake_run(tmp_path, 50)
    (tmp_path / run_files(tmp_path, manifest, "data")[0]).unlink()
    assert not compute_figures(tmp_path, manifest)["totals"]["balanced"]


def test_batch_size_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = fake_run(tmp_path)
    want = compute_figures(tmp_path, manifest)
    for rows in (1, 7):
        monkeypatch.setattr("pipeline.report.figures._BATCH_ROWS", rows)
        assert compute_figures(tmp_path, manifest) == want


def test_a_large_file_is_never_held_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    path = tmp_path / "large.parquet"
    with pq.ParquetWriter(path, pa.schema([("text", pa.string())])) as writer:
        for _ in range(32):
            writer.write_table(pa.table({"text": [rng.bytes(1 << 19).hex()]}))
    before, most = pa.total_allocated_bytes(), 0
    for _ in read_batches(tmp_path, ["large.parquet"], ["text"]):
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < path.stat().st_size / 3


def test_counters_stay_small() -> None:
    counter: CappedCounter[str] = CappedCounter(100)
    for number in range(1000):
        counter.add(f"k{number}")
        counter.add("often")
    top = counter.top(5)
    assert len(counter) <= 100
    assert top["rows"][0] == {"key": "often", "documents": 1000}
    assert top["distinct"] is None
    assert sum(row["documents"] for row in top["rows"]) + top["rest"] == 2000
    best: Best[int] = Best(3)
    for number in (5, 1, 4, 2, 3):
        best.offer(number, lambda n=number: n)  # type: ignore[misc]
    assert best.values() == [1, 2, 3]


def test_lengths_of_any_size() -> None:
    lengths = Lengths()
    lengths.add(np.array([0, 1, 2, 3, 4, 2**31, 2**20]))
    assert {b["from"]: b["documents"] for b in lengths.bins() if b["documents"]} == {
        0: 1, 1: 1, 2: 2, 4: 1, 2**20: 1, 2**31: 1,
    }  # fmt: skip
    assert lengths.quantile(0.5) == 3
    assert lengths.quantile(0.9) is None
    assert Lengths().bins() == []
    assert Lengths().quantile(0.5) is None


def test_reasons_have_a_step() -> None:
    titles = {
        reason: STEPS[step_of(reason)][0] for reason in ("gopher_x", "url_domain", "url_duplicate", "what", "language")
    }
    assert titles == {
        "gopher_x": "Quality rules", "url_domain": "Response and address", "url_duplicate": "Duplicates",
        "what": "Other rules", "language": "Language",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_queries_give_the_figures(name: str, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    duckdb = pytest.importorskip("duckdb")
    root, _, figures = run
    monkeypatch.chdir(root)
    got = duckdb.connect().sql(QUERIES[name]).fetchall()
    clean = "<script" not in json.dumps(figures)
    if name == "totals":
        assert got == [(200, figures["totals"]["characters"])]
    elif name == "waterfall":
        want = [(row["kind"], row["pages"]) for row in figures["waterfall"][1:]]
        assert sorted((kind, count) for kind, _, count in got) == sorted(want)
    elif name == "provenance":
        want = {(r["label"], s): r[s] for r in figures["provenance"] for s in ("train", "validation", "test") if r[s]}
        assert {(label, split): count for label, split, count in got} == want
    elif name == "evidence":
        want = [(row["documents"], row["findings"]) for row in figures["evidence"]]
        assert sorted((d, f) for _, _, d, f in got) == sorted(want)
    elif name == "languages":
        want = [(r["key"], r["documents"], r["characters"]) for r in figures["languages"]["rows"]]
        assert sorted(got, key=str)[:30] == sorted(want, key=str) or [r[1] for r in got] == [r[1] for r in want]
    elif name == "page_types":
        assert {key: count for key, count, _ in got} == {
            row["key"]: row["documents"] for row in figures["page_types"]["rows"]
        }
    elif name in ("hosts", "top_level_domains"):
        assert [count for _, count in got] == [row["documents"] for row in figures[name]["rows"]]
        if clean:
            assert {key for key, _ in got} == {row["key"] for row in figures[name]["rows"]}
    elif name == "dates":
        want = [(row["month"], row["documents"]) for row in figures["dates"]["months"]]
        assert [row for row in got if row[0] is not None] == want
    elif name == "lengths":
        want = [(b["from"], b["documents"]) for b in figures["lengths"]["bins"] if b["documents"]]
        assert [(int(begin), count) for begin, count in got] == want
    elif name == "duplicates":
        want = [(row["from"], row["clusters"]) for row in figures["duplicates"]["clusters"]]
        assert [(int(begin), count) for begin, count in got] == want
    elif name in ("opt_outs", "licences"):
        assert [count for _, count in got][:20] == [row["documents"] for row in figures["rights"][name]["rows"]]
    elif name == "failures":
        assert sum(row[3] for row in got) == sum(r["count"] for r in [*figures["failures"], *figures["regions"]])
    elif name == "sources":
        want = [(r["pages"], r["kept"], r["dropped"], r["failed"]) for r in figures["sources"]["rows"]]
        assert [row[1:] for row in got] == want
