"""The command and what it reads."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from pipeline.diversity.diversity_command import diversity
from pipeline.diversity.read import sample_of
from pipeline.read.storage import InputError
from pipeline.runs import RunError


def documents(count: int, seed: int, forms: int = 4_000) -> list[dict[str, str]]:
    draw = random.Random(seed)
    return [
        {
            "id": f"{seed}-{n}",
            "text": " ".join(f"w{int(draw.paretovariate(0.6)) % forms}" for _ in range(60)),
            "lang": "en",
            "url": f"https://www.h{n % 40}.example/{n}",
        }
        for n in range(count)
    ]


def write_jsonl(path: Path, rows: list[dict[str, str]]) -> Path:
    text = "\n".join(json.dumps(row) for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def write_parquet(path: Path, rows: list[dict[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=70)
    return path


def test_tables_and_folders_of_the_same_rows_give_the_same_sample(tmp_path: Path) -> None:
    rows = documents(200, 1)
    run = tmp_path / "run"
    write_parquet(run / "data" / "human" / "train-00000-of-00001.parquet", rows[:120])
    write_parquet(run / "data" / "unknown" / "test-00000-of-00001.parquet", rows[120:])
    write_parquet(run / "data" / "ai_generated" / "train-00000-of-00001.parquet", documents(50, 2))
    (run / "run.json").write_text("{}")
    mix = tmp_path / "mix"
    write_parquet(mix / "data" / "train-00000-of-00002.parquet", rows[:70])
    write_parquet(mix / "data" / "train-00001-of-00002.parquet", rows[70:])
    write_parquet(mix / "data" / "validation-00000-of-00001.parquet", documents(50, 3))
    (mix / "mix.json").write_text("{}")
    lines = write_jsonl(tmp_path / "rows.jsonl", rows)
    packed = write_jsonl(tmp_path / "rows.jsonl.gz", rows)
    first = sample_of(run, words=3_000)
    assert first.rows.num_rows == 50
    assert dict(first.documents) == {"eng": 200}
    for other in (mix, lines, packed):
        assert sample_of(other, words=3_000).rows.equals(first.rows)
    assert sum(sample_of(run, labels=("ai_generated",)).documents.values()) == 50


def test_command_prints_alarms(tmp_path: Path) -> None:
    human = write_jsonl(tmp_path / "human.jsonl", documents(400, 1))
    narrow = write_parquet(tmp_path / "narrow.parquet", documents(400, 2, forms=100))
    result = CliRunner().invoke(diversity, [str(narrow), "--reference", str(human), "--json", "--quiet"])
    assert result.exit_code == 0, result.output
    found = {row["name"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert found["vocabulary_kept"]["alarm"]
    result = CliRunner().invoke(diversity, [str(narrow), "--reference", str(human)])
    assert "vocabulary kept" in result.stdout
    assert "Less diverse" in result.stderr


def test_an_empty_table_has_no_figures(tmp_path: Path) -> None:
    nothing = tmp_path / "empty.jsonl"
    nothing.write_bytes(b"")
    result = CliRunner().invoke(diversity, [str(nothing), "--reference", str(nothing)])
    assert result.exit_code == 0
    assert "Too little text" in result.stderr


def test_errors_say_what_and_where(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not there"):
        sample_of(tmp_path / "none")
    with pytest.raises(RunError, match=r"run\.json or mix\.json is missing"):
        sample_of(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(RunError, match="holds no documents labelled human or unknown"):
        sample_of(tmp_path)
    with pytest.raises(InputError, match="no column 'body'; columns are id, lang, text, url; choose"):
        sample_of(write_jsonl(tmp_path / "a.jsonl", documents(2, 1)), text_column="body")
    broken = tmp_path / "b.jsonl"
    broken.write_text('{"text": "a"}\n[1]\n')
    with pytest.raises(InputError, match="row 1 is no JSON object"):
        sample_of(broken)
    damaged = tmp_path / "c.parquet"
    damaged.write_bytes(b"PAR1" + bytes(100))
    with pytest.raises(InputError, match="damaged"):
        sample_of(damaged)
    other = tmp_path / "d.bin"
    other.write_bytes(b"BZh91AY")
    with pytest.raises(InputError, match="neither Parquet nor JSON lines"):
        sample_of(other)
    cut = write_jsonl(tmp_path / "e.jsonl.gz", documents(500, 1))
    cut.write_bytes(cut.read_bytes()[:3_000])
    with pytest.raises(InputError, match="the file ends inside the gzip member"):
        sample_of(cut)
