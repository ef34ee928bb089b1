"""Controls, probabilities, shares and explanations, by the commands that a user types."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.full

HEADWATER = [sys.executable, "-c", "from pipeline.cli import main; main()"]
SENTENCES = (
    "The {a} in the {b} was painted {c} by my uncle, who never liked the old colour.",
    "We walked past the {b} on a {c} morning and counted {n} boats near the {a}.",
    "Nobody could say why the {a} had been left beside the {b} for {n} days.",
    "If you bring a {c} {a} to the market, they will give you {n} coins for it.",
    "She keeps the {a} under the {b}, wrapped in {c} paper, and tells no one.",
    "It took {n} men to lift the {a} over the wall of the {b}, and two of them fell.",
    "My neighbour says that a {c} {a} is better than {n} new ones; I am not so sure.",
    "Later that week the {b} was closed, so we mended the {a} at home with {c} glue.",
)
WORDS = {
    "a": ["ladder", "kettle", "bicycle", "lamp", "gate", "drum", "basket", "clock", "saddle", "mirror"],
    "b": ["harbour", "orchard", "station", "mill", "chapel", "bakery", "bridge", "school", "garden", "quarry"],
    "c": ["green", "cold", "heavy", "narrow", "bright", "quiet", "rusty", "yellow", "wooden", "wet"],
}


def story(seed: int) -> str:
    """About 150 English words that no other seed gives."""
    source = random.Random(seed)
    filled = [
        source.choice(SENTENCES).format(**{k: source.choice(v) for k, v in WORDS.items()}, n=source.randint(3, 90))
        for _ in range(10)
    ]
    return " ".join(filled)


def headwater(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*HEADWATER, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr[-3000:]
    return done


def write(path: Path, seeds: range, when: str | None) -> Path:
    with path.open("w", encoding="utf-8") as sink:
        for seed in seeds:
            row: dict[str, Any] = {"id": f"d{seed}", "text": story(seed), "url": f"https://h{seed % 12}.example/{seed}"}
            sink.write(json.dumps({**row, **({"fetched_at": when} if when else {})}) + "\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty dated and eighty late documents, controls of the first, scores of the second."""
    root = tmp_path_factory.mktemp("provenance")
    write(root / "old.jsonl", range(60), "2021-03-04T00:00:00Z")
    write(root / "new.jsonl", range(60, 140), "2024-03-04T00:00:00Z")
    headwater("controls", "build", root / "old.jsonl", "--output", root / "controls.json", "--workers", 1)
    headwater(
        "score", root / "new.jsonl", "--controls", root / "controls.json", "--output", root / "new.parquet",
        "--workers", 1,
    )  # fmt: skip
    return root


def test_controls_make_probabilities_publishable(folder: Path) -> None:
    rows = pq.read_table(folder / "new.parquet").to_pylist()
    assert len(rows) == 80
    assert {row["provenance_basis"] for row in rows} == {"shrunk"}
    for row in rows:
        assert abs(row["p_human"] + row["p_machine_translated"] + row["p_ai_generated"] - 1) < 1e-5
        assert "ai_text:text_model" in row["provenance_reasons"]
    # They were written by the same hand as the controls.
    assert sum(row["provenance_label"] == "ai_generated" for row in rows) <= 4


def test_without_controls_there_is_no_probability(folder: Path, tmp_path: Path) -> None:
    headwater("score", folder / "new.jsonl", "--output", tmp_path / "s.jsonl", "--workers", 1)
    for line in (tmp_path / "s.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert (row["p_human"] is None) == (row["provenance_basis"] is None)
        assert row["provenance_basis"] in (None, "margin")
        assert row["ai_text_score"] is not None


def test_controls_are_the_same_for_any_order_and_split(folder: Path, tmp_path: Path) -> None:
    lines = (folder / "old.jsonl").read_text().splitlines()
    for name, part in (("b", lines[40:]), ("a", lines[:40])):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(part[::-1]) + "\n")
    headwater(
        "controls", "build", tmp_path / "b.jsonl", tmp_path / "a.jsonl", "--output", tmp_path / "c", "--workers", 2
    )
    assert (tmp_path / "c").read_text() == (folder / "controls.json").read_text()


def test_what_is_no_control_is_refused(folder: Path, tmp_path: Path) -> None:
    undated = write(tmp_path / "undated.jsonl", range(3), None)
    told = headwater("controls", "build", undated, "--output", tmp_path / "c", code=2)
    assert "--fetched-at-column" in told.stderr
    assert not (tmp_path / "c").exists()
    told = headwater("controls", "build", folder / "new.jsonl", "--output", tmp_path / "c", code=2)
    assert "80 captured on 2022-11-01 or later" in told.stderr


@pytest.mark.parametrize("damage", ["missing", "text", "model"])
def test_controls_that_do_not_fit_are_an_error_that_says_what_to_do(folder: Path, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "controls.json"
    if damage == "text":
        path.write_text("[1, 2")
    elif damage == "model":
        values = json.loads((folder / "controls.json").read_text())
        path.write_text(json.dumps({**values, "models": {**values["models"], "ai_text": "0" * 16}}))
    told = headwater("score", folder / "new.jsonl", "--controls", path, "--output", tmp_path / "o.parquet", code=2)
    assert "build" in told.stderr
    assert not (tmp_path / "o.parquet").exists()


def test_a_run_takes_its_older_part_as_controls(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "c.yaml").write_text("quality: {profile: none}\npolicy: {duplicates: {near: false}}\n")
    inputs = (folder / "old.jsonl", folder / "new.jsonl")
    headwater("curate", *inputs, "--output", out, "--config", tmp_path / "c.yaml", "--workers", 2)
    rows = [
        row
        for file in sorted(out.glob("data/*/*.parquet"))
        for row in pq.read_table(file, partitioning=None).to_pylist()
    ]
    bases = {row["record_id"]: row["provenance_basis"] for row in rows}
    assert {bases[f"d{seed}"] for seed in range(60)} == {"date"}
    assert {bases[f"d{seed}"] for seed in range(60, 140)} == {"shrunk"}
    assert {row["provenance_label"] for row in rows if row["provenance_basis"] == "date"} == {"human"}
    headwater("verify", out)
    manifest = json.loads((out / "run.json").read_text())
    assert "index/controls.json" in {entry["path"] for entry in manifest["files"]}
    own, built = (json.loads(path.read_text()) for path in (out / "index/controls.json", folder / "controls.json"))
    assert own.pop("counts") == {**built.pop("counts"), "after": 80}
    assert own == built
    shares = json.loads((out / "report/figures.json").read_text())["shares"]
    assert shares["rows"][0]["documents"] == 80
    again = tmp_path / "again"
    headwater(
        "curate", folder / "new.jsonl", "--controls", out / "index/controls.json", "--output", again, "--config",
        tmp_path / "c.yaml", "--workers", 1,
    )  # fmt: skip
    later = {
        row["record_id"]: row["p_human"]
        for file in again.glob("data/*/*.parquet")
        for row in pq.read_table(file, partitioning=None).to_pylist()
    }
    assert later == {row["record_id"]: row["p_human"] for row in rows if row["provenance_basis"] == "shrunk"}


def test_a_share_and_its_refusal(folder: Path) -> None:
    told = headwater(
        "detectors",
        "prevalence",
        folder / "new.parquet",
        "--controls",
        folder / "controls.json",
        "--by",
        "host",
        "--json",
    )
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    assert rows[0]["documents"] == 80
    if rows[0]["refused"] is None:
        assert 0 <= rows[0]["low"] <= rows[0]["estimate"] <= rows[0]["high"] <= 1
    assert len(rows) == 13
    assert all("are needed" in row["refused"] for row in rows[1:])


def test_scores_of_another_model_are_not_compared(folder: Path, tmp_path: Path) -> None:
    table = pq.read_table(folder / "new.parquet")
    models = json.dumps({"ai_text": "0" * 16})
    pq.write_table(table.replace_schema_metadata({"headwater.text_models": models}), tmp_path / "other.parquet")
    told = headwater(
        "detectors", "prevalence", tmp_path / "other.parquet", "--controls", folder / "controls.json", code=2
    )
    assert "another model (ai_text)" in told.stderr
    told = headwater("detectors", "prevalence", tmp_path / "no", "--controls", folder / "controls.json", code=2)
    assert "is not there" in told.stderr


def test_an_explanation_names_evidence_and_basis(folder: Path) -> None:
    told = headwater("explain", folder / "new.parquet", "d60").stdout
    assert "25 to 199 human controls" in told
    assert "ai_text:text_model" in told
    by_address = headwater("explain", folder / "new.parquet", "https://h0.example/60").stdout
    assert by_address == told
    whole = json.loads(headwater("explain", folder / "new.parquet", "d60", "--json").stdout)
    assert whole["record_id"] == "d60"
    assert "no document" in headwater("explain", folder / "new.parquet", "nothing", code=2).stderr
    assert "no Parquet file" in headwater("explain", folder / "new.jsonl", "d60", code=2).stderr
