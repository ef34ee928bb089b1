"""`headwater curate` on the bundled sample and on archives made here: what is kept, what is not and why, and resume."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parents[2]
HEADWATER = [sys.executable, "-c", "from pipeline.cli import main; main()"]
SAMPLE = ROOT / "pipeline" / "data" / "sample.warc.gz"


def headwater(*arguments: object, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*HEADWATER, *map(str, arguments)], capture_output=True, text=True, env={**os.environ, **env}, timeout=300
    )
    assert done.returncode == code, f"exit {done.returncode}: {done.stderr[-2000:]}"
    return done


def rows(run: Path, part: str) -> list[dict[str, Any]]:
    return [
        row for f in sorted((run / part).rglob("*.parquet")) for row in pq.read_table(f, partitioning=None).to_pylist()
    ]


def digests(run: Path) -> dict[str, str]:
    parts = ("data", "dropped", "failures", "index", "report", "README.md", "croissant.json")
    files = [
        f
        for part in parts
        for f in ([run / part] if (run / part).is_file() else (run / part).rglob("*"))
        if f.is_file()
    ]
    return {str(f.relative_to(run)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sample") / "run"
    headwater("curate", "--output", out)
    return out


def planted() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("make_sample", ROOT / "examples" / "make_sample.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_sample"] = module
    spec.loader.exec_module(module)
    return dict(module.PLANTED)


def test_the_account_balances_and_verifies(sample: Path) -> None:
    manifest = json.loads((sample / "run.json").read_text())
    counts = manifest["counts"]
    assert counts["pages"] == counts["kept"] + sum(counts["dropped"].values()) + sum(counts["failed"].values())
    assert counts["kept"] == len(rows(sample, "data")) > 80
    assert Counter(row["reason"] for row in rows(sample, "dropped")) == counts["dropped"]
    assert counts["failed"] == {"gzip_corrupt": 1}
    headwater("verify", sample)


def test_planted_pages_become_what_they_are(sample: Path) -> None:
    kinds = planted()
    kept = {row["url"]: row for row in rows(sample, "data")}
    dropped: dict[str, set[str]] = {}
    for row in rows(sample, "dropped"):
        dropped.setdefault(row["url"], set()).add(row["reason"])
    for url, kind in kinds.items():
        label = kept[url]["provenance_label"] if url in kept else None
        if kind.startswith("mt_") and kind != "mt_widget_present":
            assert label == "machine_translated", url
        if kind in ("mt_widget_present", "ai_quoted"):
            assert label in ("unknown", "human"), url
        if kind in ("ai_residue", "digital_source_type"):
            assert label == "ai_generated", url
        if kind == "status_404":
            assert dropped[url] == {"http_status"}
        if kind in ("pdf", "json"):
            assert dropped[url] == {"not_html"}
        if kind == "same_url_twice":
            assert dropped[url] == {"url_duplicate"}
    wanted = Counter(kinds.values())
    reasons = Counter(row["reason"] for row in rows(sample, "dropped"))
    # Copies of planted duplicates: of each pair one page goes, whichever stands for the cluster.
    assert (
        reasons["exact_duplicate"] + reasons["near_duplicate"]
        >= wanted["exact_duplicate"] + wanted["near_duplicate"] - 1
    )
    assert any(row["cluster_size"] > 1 for row in kept.values())


def test_columns_are_those_of_the_contract(sample: Path) -> None:
    for row in rows(sample, "data"):
        p = [row["p_human"], row["p_machine_translated"], row["p_ai_generated"]]
        if row["provenance_basis"] is None:
            assert (row["provenance_label"], p) == ("unknown", [None] * 3)
        else:
            assert abs(sum(p) - 1) < 1e-6
        assert row["text"].strip()
        for finding in row["evidence"]:
            if finding["start"] is not None:
                assert 0 <= finding["start"] <= finding["end"] <= len(row["text"])
    by_cluster: dict[str, set[str]] = {}
    for row in rows(sample, "data"):
        by_cluster.setdefault(row["cluster_id"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in by_cluster.values())


@pytest.mark.full
def test_same_bytes_for_splits_workers_and_seeds(tmp_path: Path) -> None:
    archives = two_archives(tmp_path)
    headwater("curate", *archives, "--output", tmp_path / "a")
    headwater(
        "curate",
        *reversed(archives),
        "--output",
        tmp_path / "b",
        "--workers",
        1,
        "--split-size",
        5000,
        PYTHONHASHSEED="5",
    )
    headwater(
        "curate", *archives, "--output", tmp_path / "c", "--split-size", "1T", LC_ALL="tr_TR.UTF-8", TZ="Asia/Kolkata"
    )
    assert len(digests(tmp_path / "a")) > 6
    assert digests(tmp_path / "a") == digests(tmp_path / "b") == digests(tmp_path / "c")


def two_archives(folder: Path) -> list[Path]:
    """The sample cut in two files, so that duplicates lie across files."""
    data = SAMPLE.read_bytes()
    starts = [i for i in range(len(data)) if data[i : i + 4] == b"\x1f\x8b\x08\x00" and i > len(data) // 2]
    import zlib

    for cut in starts:
        try:
            head = zlib.decompressobj(31).decompress(data[cut:], 100)
        except zlib.error:
            continue
        if head.startswith(b"WARC/1.0\r\n"):
            break
    paths = [folder / "first.warc.gz", folder / "second.warc.gz"]
    paths[0].write_bytes(data[:cut])
    paths[1].write_bytes(data[cut:])
    return paths


@pytest.mark.full
def test_killed_at_random_and_resumed_gives_the_same_bytes(tmp_path: Path) -> None:
    archives = two_archives(tmp_path)
    flags = ("--split-size", 20_000, "--workers", 2)
    began = time.monotonic()
    headwater("curate", *archives, "--output", tmp_path / "calm", *flags)
    whole, dice = time.monotonic() - began, random.Random(4)
    command = [*HEADWATER, *map(str, ("curate", *archives, "--output", tmp_path / "run", *flags))]
    for _ in range(4):
        process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
        try:
            process.wait(dice.uniform(0.3, 0.9) * whole)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    headwater("curate", *archives, "--output", tmp_path / "run", *flags)
    assert digests(tmp_path / "run") == digests(tmp_path / "calm")
    assert not (tmp_path / "run" / "_work").exists()


@pytest.mark.full
def test_ctrl_c_leaves_a_resumable_state_and_says_so(tmp_path: Path) -> None:
    command = [*HEADWATER, "curate", "--output", str(tmp_path / "run"), "--split-size", "10000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "run" / "_work" / "staged").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("the run was over before the signal came")
    assert process.returncode == 5
    assert "the same command goes on" in message
    assert "Traceback" not in message
    headwater("curate", "--output", tmp_path / "run")
    headwater("verify", tmp_path / "run")


def test_another_configuration_or_input_is_refused(sample: Path, tmp_path: Path) -> None:
    config = tmp_path / "other.yaml"
    config.write_text("policy: {minimum_words: 30}\n")
    refused = headwater("curate", "--output", sample, "--config", config, code=2)
    assert "policy.minimum_words" in refused.stderr
    [first, _] = two_archives(tmp_path)
    refused = headwater("curate", first, "--output", sample, code=2)
    assert "other input files" in refused.stderr
    again = headwater("curate", "--output", sample)
    assert "finished already" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["curate", "/nowhere/x.warc.gz"], "nowhere"),
        (["curate", "--config", "/nowhere/c.yaml"], "cannot be read"),
        (["verify", "/nowhere"], "no run"),
    ],
)
def test_usage_errors_say_what_to_do(tmp_path: Path, arguments: list[str], message: str) -> None:
    more = ["--output", tmp_path / "out"] if arguments[0] == "curate" else []
    done = headwater(*arguments, *more, code=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    assert "not a run" in headwater("curate", "--output", tmp_path, code=2).stderr
    assert [f.name for f in tmp_path.iterdir()] == ["letter.txt"]


def test_an_empty_archive_is_an_empty_run(tmp_path: Path) -> None:
    (tmp_path / "empty.warc.gz").write_bytes(b"")
    headwater("curate", tmp_path / "empty.warc.gz", "--output", tmp_path / "run")
    counts = json.loads((tmp_path / "run" / "run.json").read_text())["counts"]
    assert counts["pages"] == 0
    assert pq.read_table(tmp_path / "run" / "dropped").num_rows == 0


def test_verify_finds_a_changed_file(sample: Path, tmp_path: Path) -> None:
    import shutil

    run = tmp_path / "run"
    shutil.copytree(sample, run)
    target = next(iter(sorted((run / "data").rglob("*.parquet"))))
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(bytes(data))
    (run / "dropped" / "stray.parquet").write_bytes(b"")
    found = headwater("verify", run, code=4)
    assert "sha256" in found.stdout
    assert "stray.parquet is not in run.json" in found.stdout


def test_extract_and_score_give_a_row_a_page(sample: Path, tmp_path: Path) -> None:
    pages = json.loads((sample / "run.json").read_text())["counts"]["pages"]
    headwater("extract", SAMPLE, "--output", tmp_path / "text.parquet")
    headwater("score", SAMPLE, "--output", tmp_path / "scores.jsonl")
    text = pq.read_table(tmp_path / "text.parquet").to_pylist()
    scores = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert len(text) == len(scores) == pages
    assert [r["source_offset"] for r in text] == sorted(r["source_offset"] for r in text)
    assert {r["reason"] for r in text} >= {"http_status", "not_html", None}
    assert Counter(r["provenance_label"] for r in scores)["machine_translated"] >= 5


def test_a_table_of_text_is_curated_and_scored(tmp_path: Path) -> None:
    texts = [
        f"Sentence {n} tells how the ferry crossed the lake in {1900 + n}, and who was aboard." * 3 for n in range(20)
    ]
    table = pa.table({"key": [f"k{n}" for n in range(20)], "body": texts})
    pq.write_table(table, tmp_path / "in.parquet")
    headwater(
        "score",
        tmp_path / "in.parquet",
        "--output",
        tmp_path / "out.parquet",
        "--id-column",
        "key",
        "--text-column",
        "body",
    )
    got = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [r["record_id"] for r in got] == [f"k{n}" for n in range(20)]
    assert {r["language"] for r in got} == {"eng"}
    refused = headwater("score", tmp_path / "in.parquet", "--output", tmp_path / "no.parquet", code=2)
    assert "text" in refused.stderr
    headwater(
        "curate", tmp_path / "in.parquet", "--output", tmp_path / "run", "--id-column", "key", "--text-column", "body"
    )
    headwater("verify", tmp_path / "run")


@pytest.mark.full
def test_the_portable_runner_gives_the_same_bytes(tmp_path: Path) -> None:
    archives = two_archives(tmp_path)
    headwater("curate", *archives, "--output", tmp_path / "local", "--split-size", 50_000)
    headwater(
        "curate", *archives, "--output", tmp_path / "portable", "--split-size", 50_000, "--",
        "--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK",
    )  # fmt: skip
    assert digests(tmp_path / "local") == digests(tmp_path / "portable")


@pytest.mark.full
def test_duplicate_delivery_changes_nothing(tmp_path: Path) -> None:
    archives = two_archives(tmp_path)
    headwater("curate", *archives, "--output", tmp_path / "once")
    headwater("curate", *archives, "--output", tmp_path / "twice", "--", "--direct_runner_bundle_repeat=2")
    assert digests(tmp_path / "once") == digests(tmp_path / "twice")
