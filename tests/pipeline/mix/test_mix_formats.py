"""Shards in every format: the same rows, the same bytes every time, and what loads them in training."""

from __future__ import annotations

import importlib
import json
import re
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from mix_samples import make_sources, rows_of, write_here

from pipeline.mix.choose import ChoosePlan, MixFile
from pipeline.mix.formats import FORMATS, check_format, file_name, json_rows
from pipeline.mix.rows import MIX_ROW
from pipeline.mix.weights import WEIGHTS
from schemas.config import ConfigError

Written = Callable[[str], Path]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[MixFile], ChoosePlan, Path]:
    """A run, an ingest folder and a plan."""
    folder = tmp_path_factory.mktemp("sources")
    return *make_sources(folder), folder


@pytest.fixture(scope="module")
def written(sources: tuple[list[MixFile], ChoosePlan, Path]) -> Written:
    """Folder of the mix in a format, written once."""
    files, plan, folder = sources
    done: dict[str, Path] = {}

    def write(form: str) -> Path:
        if form not in done:
            if form == "array_record":
                pytest.importorskip("array_record", reason="array_record is not installed (extra `mix`)")
            done[form] = folder / form
            write_here(files, replace(plan, root=str(done[form]), form=form))
        return done[form]

    return write


@pytest.fixture(scope="module")
def wanted(written: Written) -> list[dict[str, Any]]:
    """Rows of the mix as JSON has them."""
    return list(json_rows(pa.Table.from_pylist(rows_of(str(written("parquet"))), schema=MIX_ROW)))


def shards(root: Path, form: str) -> list[Path]:
    """Training shards of a format."""
    return sorted(root.glob(f"data/train-*.{FORMATS[form].suffix}"))


def jsonl(path: Path) -> list[dict[str, Any]]:
    """Rows of a JSONL.zst file of one frame."""
    data = zstandard.ZstdDecompressor().decompressobj()
    return [json.loads(line) for line in data.decompress(path.read_bytes()).decode().split("\n")[:-1]]


def test_jsonl_has_the_rows_in_order(written: Written, wanted: list[dict[str, Any]]) -> None:
    found = [row for path in shards(written("jsonl.zst"), "jsonl.zst") for row in jsonl(path)]
    assert found == wanted
    assert {row["fetched_at"] and row["fetched_at"][-8:] for row in found} == {None, ".000000Z"}
    assert any(row["scores"] for row in found)


def test_tar_has_a_text_and_its_metadata_under_one_key(written: Written, wanted: list[dict[str, Any]]) -> None:
    found = []
    for path in shards(written("webdataset"), "webdataset"):
        with tarfile.open(path) as archive:
            members = archive.getmembers()
            assert {(member.mtime, member.uid, member.uname, member.mode) for member in members} == {(0, 0, "", 0o644)}
            data = [(member.name, archive.extractfile(member).read()) for member in members]  # type: ignore[union-attr]
        for (name, text), (beside, metadata) in zip(data[::2], data[1::2], strict=True):
            row = {**json.loads(metadata), "text": text.decode()}
            assert (name, beside) == tuple(f"{row['doc_id']}-{row['copy']}.{end}" for end in ("txt", "json"))
            found.append(row)
    assert found == wanted


@pytest.mark.parametrize("form", ["parquet", "jsonl.zst", "webdataset", "array_record"])
def test_same_bytes_twice(form: str, written: Written, sources: tuple[list[MixFile], ChoosePlan, Path]) -> None:
    files, plan, folder = sources
    first = written(form)
    again = folder / f"{form}-again"
    write_here(files, replace(plan, root=str(again), pieces=str(folder / "pieces-again"), form=form))
    assert [(p.name, p.read_bytes()) for p in shards(again, form)] == [
        (p.name, p.read_bytes()) for p in shards(first, form)
    ]


@pytest.mark.parametrize("form", ["jsonl.zst", "webdataset", "array_record"])
def test_a_shard_that_was_cut_short_is_not_counted_whole(form: str, written: Written, tmp_path: Path) -> None:
    path = shards(written(form), form)[0]
    count = FORMATS[form].count
    assert count is not None
    rows = count(path)
    assert rows == len(pq.ParquetFile(shards(written("parquet"), "parquet")[0]).read())
    short = tmp_path / path.name
    data = path.read_bytes()
    short.write_bytes(data[: len(data) // 2])
    try:
        assert count(short) < rows
    except OSError:
        pass


def test_parquet_has_the_schema_with_descriptions_and_small_row_groups(written: Written) -> None:
    path = shards(written("parquet"), "parquet")[0]
    schema = pq.read_schema(path)
    assert schema.equals(MIX_ROW)
    assert all(field.metadata and field.metadata[b"description"] for field in schema)
    column = pq.read_metadata(path).row_group(0).column(0)
    assert (column.compression, column.has_offset_index) == ("ZSTD", True)


def test_a_missing_library_is_named_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ConfigError, match=r"pip install 'headwater\[mix\]'"):
        check_format("array_record")
    for form in ("parquet", "jsonl.zst", "webdataset"):
        check_format(form)
    assert file_name("data/train", 3, 12, "webdataset") == "data/train-00003-of-00012.tar"


@pytest.mark.full
@pytest.mark.parametrize(("builder", "form"), [("parquet", "parquet"), ("json", "jsonl.zst")])
def test_datasets_loads_and_streams(
    builder: str, form: str, written: Written, wanted: list[dict[str, Any]], tmp_path: Path
) -> None:
    datasets = pytest.importorskip("datasets")
    files = {"train": [str(path) for path in shards(written(form), form)]}
    loaded = datasets.load_dataset(builder, data_files=files, split="train", cache_dir=str(tmp_path))
    assert [(row["doc_id"], row["copy"], row["text"]) for row in loaded] == [
        (row["doc_id"], row["copy"], row["text"]) for row in wanted
    ]
    streamed = datasets.load_dataset(builder, data_files=files, split="train", streaming=True)
    assert [row["text"] for row in streamed] == [row["text"] for row in wanted]
    assert loaded.features["parents"].feature.dtype == "string"


def test_webdataset_loads(written: Written, wanted: list[dict[str, Any]]) -> None:
    webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
    names = [str(path) for path in shards(written("webdataset"), "webdataset")]
    samples = webdataset.WebDataset(names, shardshuffle=False, empty_check=False).decode()
    assert [(s["json"]["doc_id"], s["txt"]) for s in samples] == [(row["doc_id"], row["text"]) for row in wanted]


def test_grain_reads_records_in_any_order(written: Written, wanted: list[dict[str, Any]]) -> None:
    names = [str(path) for path in shards(written("array_record"), "array_record")]
    grain = pytest.importorskip("grain.python", reason="grain is not installed")
    source = grain.ArrayRecordDataSource(names)
    assert len(source) == len(wanted)
    assert json.loads(source[len(wanted) - 1]) == wanted[-1]
    assert [json.loads(record) for record in source.__getitems__([5, 2])] == [wanted[5], wanted[2]]


@pytest.mark.full
def test_torch_loads_with_workers(written: Written, wanted: list[dict[str, Any]], tmp_path: Path) -> None:
    data = pytest.importorskip("torch.utils.data", reason="torch is not installed")
    datasets = pytest.importorskip("datasets")
    files = [str(path) for path in shards(written("parquet"), "parquet")]
    rows = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path))
    batches = data.DataLoader(rows.select_columns(["doc_id", "text"]).with_format("torch"), batch_size=16)
    assert [text for batch in batches for text in batch["text"]] == [row["text"] for row in wanted]
    streamed = datasets.load_dataset("parquet", data_files=files, split="train", streaming=True)
    loader = data.DataLoader(streamed.select_columns(["doc_id", "copy", "text"]), batch_size=16, num_workers=2)
    found = [one for b in loader for one in zip(b["doc_id"], b["copy"].tolist(), b["text"], strict=True)]
    assert sorted(found) == sorted((row["doc_id"], row["copy"], row["text"]) for row in wanted)


DOCS = (Path(__file__).parents[3] / "docs" / "formats.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", DOCS, re.MULTILINE | re.DOTALL)


@pytest.mark.full
@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: str(block).split("\n")[0])
def test_what_the_documentation_shows_runs(
    block: str, written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for library in re.findall(r"^(?:import|from) (?!glob|pipeline)(\w+)", block, re.MULTILINE):
        pytest.importorskip(library, reason=f"{library} is not installed")
    found = re.search(r"train-\*\.([a-z_.]+)", block)
    form = next((name for name, kind in FORMATS.items() if found and kind.suffix == found.group(1)), "parquet")
    (tmp_path / "mix").symlink_to(written(form))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    names: dict[str, Any] = {}
    exec(block, names)  # noqa: S102
    assert names.get("text") is not None or names.get("texts") or len(names["rows"])


def test_the_documentation_has_every_column() -> None:
    for field in (*MIX_ROW, *WEIGHTS):
        meaning = re.escape(field.metadata[b"description"].decode())
        assert re.search(rf"^\| `{field.name}` \|.*\| {meaning} \|$", DOCS, re.MULTILINE), field.name
