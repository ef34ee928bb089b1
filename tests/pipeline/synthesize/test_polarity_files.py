"""The command: inputs, columns, determinism, superset, caps, splits, errors. Sentences are made up for the tests."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from pipeline.read.storage import InputError
from pipeline.runs import RunError
from pipeline.synthesize.polarity_command import polarity
from pipeline.synthesize.polarity_files import OUTPUT, Options, list_inputs
from pipeline.synthesize.polarity_job import Caps, synthesize_polarity

COLOURS = ["red", "green", "blue", "white", "black", "brown", "grey", "pink"]
THINGS = ["kitchen", "garden", "bridge", "window", "engine", "ladder"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(polarity, [*map(str, arguments), "--quiet", "--workers", "1"])


def table(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def sentences(number: int) -> list[dict[str, Any]]:
    texts = [f"The old {thing} is {colour}." for thing in THINGS for colour in COLOURS][:number]
    return [
        {"id": f"d{n}", "text": text, "language": "eng_Latn", "url": f"https://h{n % 4}.example/{n}"}
        for n, text in enumerate(texts)
    ]


def read(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


@pytest.fixture
def curated(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    (folder / "data" / "unknown").mkdir(parents=True)
    (folder / "run.json").write_text("{}", encoding="utf-8")
    text = "The lift is not available. Write to mail@x.example for the old key. The kitchen is clean."
    span = pa.struct([("kind", pa.string()), ("start", pa.int32()), ("end", pa.int32())])
    rows = {
        "doc_id": ["a" * 32, "b" * 32, "c" * 32],
        "text": [text, "The kitchen is white.", "The kitchen is green."],
        "language": ["eng_Latn", "eng_Latn", "zho_Hans"],
        "url": ["https://one.example/", None, None],
        "split": ["validation", "train", "train"],
        "provenance_label": ["human", "ai_generated", "unknown"],
    }
    columns = {name: pa.array(values) for name, values in rows.items()}
    columns["personal_data"] = pa.array([[{"kind": "email", "start": 5, "end": 9}], [], []], pa.list_(span))
    pq.write_table(pa.table(columns), folder / "data" / "unknown" / "train-00000-of-00001.parquet")
    return folder


def test_rows_of_a_run(curated: Path, tmp_path: Path) -> None:
    output = tmp_path / "triplets.parquet"
    assert run(curated, "--output", output).exit_code == 0
    assert pq.read_schema(output).names == OUTPUT.names
    (row,) = read(output)  # the first sentence touches personal data; other labels and languages are not mined
    assert row["anchor"] == "The kitchen is clean."
    assert row["negative"] == "The kitchen is not clean."
    assert (row["split"], row["parent"], row["parents"]) == ("validation", "a" * 32, ["a" * 32])
    assert (row["depth"], row["grounded"], row["seed"]) == (1, True, "0")
    assert row["generator"].startswith("headwater-polarity/")
    assert row["prompt"] == f"eng/1/{row['template']}"
    assert len(row["id"]) == 32
    assert row["attested"] is None


def test_labels(curated: Path, tmp_path: Path) -> None:
    output = tmp_path / "triplets.parquet"
    assert run(curated, "--output", output, "--labels", "ai_generated").exit_code == 0
    assert [row["anchor"] for row in read(output)] == ["The kitchen is white."]
    assert run(curated, "--output", output, "--labels", "robots").exit_code == 2


def test_same_bytes_in_any_order_and_number_of_files(tmp_path: Path) -> None:
    rows = sentences(48)
    one = table(tmp_path / "one.jsonl", rows)
    two, three = table(tmp_path / "two.jsonl", rows[::-1][:20]), table(tmp_path / "three.jsonl", rows[::-1][20:])
    options = ("--pattern-share", 1)
    assert run(one, "--output", tmp_path / "a.parquet", *options).exit_code == 0
    assert run(three, two, "--output", tmp_path / "b.parquet", *options).exit_code == 0
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert len(read(tmp_path / "a.parquet")) == 48


def test_larger_limit_keeps_what_a_smaller_gave(tmp_path: Path) -> None:
    path = table(tmp_path / "in.jsonl", sentences(48))
    found = []
    for limit in (5, 17, 40):
        assert run(path, "--output", tmp_path / "o.parquet", "--limit", limit, "--per-host", 9).exit_code == 0
        found.append([row["id"] for row in read(tmp_path / "o.parquet")])
    assert len(found[0]) == 5
    assert found[1][:5] == found[0]
    assert found[2][: len(found[1])] == found[1]


def test_caps_and_duplicates(tmp_path: Path) -> None:
    rows = sentences(40)
    rows.append({"id": "long", "text": "\n".join(f"The new {t} is {c}." for t in THINGS for c in COLOURS)})
    rows[-1] |= {"language": "en", "url": None}
    rows += [{**rows[0], "id": "again", "url": None}]
    options = Options(("eng",))
    result = synthesize_polarity(
        [str(table(tmp_path / "in.jsonl", rows))], str(tmp_path / "o.parquet"), options, caps=Caps(7, 4, 1.0)
    )
    kept = read(tmp_path / "o.parquet")
    assert result.found["eng"] == 40 + 48 + 1
    assert result.written["eng"] == len(kept)
    assert Counter(row["parent"] for row in kept)["long"] == 7
    hosts = Counter((row["url"] or "").split("/")[2] for row in kept if row["url"])
    assert set(hosts.values()) == {4}
    assert len({row["anchor"] for row in kept}) == len(kept)


def test_a_flip_that_is_attested_raises_confidence(tmp_path: Path) -> None:
    rows = [
        {"id": "1", "text": "They rent a flat without a balcony."},
        {"id": "2", "text": "They rent one without a sauna."},
    ]
    rows += [{"id": "3", "text": "a flat with a balcony"}]
    path = table(tmp_path / "in.jsonl", rows)
    assert run(path, "--output", tmp_path / "o.jsonl", "--languages", "eng").exit_code == 0
    kept = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines()]
    by_parent = {row["parent"]: row for row in kept}
    assert by_parent["1"]["attested"] == 1
    assert by_parent["2"]["attested"] == 0
    assert by_parent["1"]["confidence"] > by_parent["2"]["confidence"]


def test_compressed_tables_and_named_columns(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl.gz"
    row = {"key": 7, "body": "La cocina está limpia.", "lang": "es", "url": "\ud800"}
    path.write_bytes(gzip.compress(json.dumps(row).encode()))
    options = ("--id-column", "key", "--text-column", "body", "--language-column", "lang")
    assert run(path, "--output", tmp_path / "o.parquet", *options).exit_code == 0
    (found,) = read(tmp_path / "o.parquet")
    assert (found["parent"], found["negative"], found["split"]) == ("7", "La cocina no está limpia.", "train")


def test_nothing_to_write(tmp_path: Path) -> None:
    path = table(tmp_path / "in.jsonl", [{"id": "1", "text": "厨房很干净。", "language": "zho"}])
    assert run(path, "--output", tmp_path / "o.parquet").exit_code == 0
    assert read(tmp_path / "o.parquet") == []
    assert pq.read_schema(tmp_path / "o.parquet").names == OUTPUT.names
    assert run(table(tmp_path / "none.jsonl", []), "--output", tmp_path / "o.jsonl").exit_code == 0
    assert (tmp_path / "o.jsonl").read_bytes() == b""
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith((".", "headwater-"))] == []


def test_errors_say_what_and_where(tmp_path: Path) -> None:
    def error(*arguments: object) -> str:
        result = run(*arguments, "--output", tmp_path / "o.parquet")
        assert result.exit_code != 0
        return str(result.exception) + result.output

    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(b"PAR1 and no more")
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"id": 1, "text": "x"}\n{"id": 2,\n', encoding="utf-8")
    assert "cannot be read as Parquet" in error(damaged)
    assert "row 1 is no JSON object" in error(broken)
    assert "--text-column" in error(table(tmp_path / "named.jsonl", [{"id": 1, "body": "x"}]))
    assert "no polarity patterns" in error(broken, "--languages", "zho")
    assert "must end in" in run(broken, "--output", tmp_path / "o.csv").output
    with pytest.raises(InputError, match="no such file"):
        list_inputs([str(tmp_path / "absent")])
    (tmp_path / "open" / "_work").mkdir(parents=True)
    with pytest.raises(RunError, match="has not finished"):
        list_inputs([str(tmp_path / "open")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="neither a finished run nor"):
        list_inputs([str(tmp_path / "empty")])


@pytest.mark.full
def test_children_give_the_same_bytes(tmp_path: Path) -> None:
    rows = sentences(48)
    files = [table(tmp_path / f"{n}.jsonl", rows[n::3]) for n in range(3)]
    options = Options(("eng",))
    for workers in (1, 2):
        synthesize_polarity(list(map(str, files)), str(tmp_path / f"w{workers}.parquet"), options, workers=workers)
    assert (tmp_path / "w1.parquet").read_bytes() == (tmp_path / "w2.parquet").read_bytes()
