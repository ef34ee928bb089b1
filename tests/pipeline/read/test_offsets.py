"""Tables of offsets: names of one file, rows that name no record, and tables that hold text as well."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from read_samples import html_record, members, write

from pipeline.read import offsets
from pipeline.read.sources import list_sources, plan_splits
from pipeline.read.splits import SplitReader
from pipeline.read.storage import InputError

RECORDS = [html_record(n) for n in range(3)]
LENGTHS = [len(members([r])) for r in RECORDS]
SPOTS = [(sum(LENGTHS[:n]), LENGTHS[n]) for n in range(3)]


@pytest.fixture
def archive(tmp_path):
    folder = tmp_path / "dir"
    folder.mkdir()
    return write(folder, members(RECORDS), "s.warc.gz")


def table_of(folder, rows, name="t.csv"):
    path = folder / name
    path.write_text("file,offset,length\n" + "".join(",".join(str(v) for v in row) + "\n" for row in rows))
    return str(path)


def spellings(archive):
    folder, parent = os.path.dirname(archive), os.path.dirname(os.path.dirname(archive))
    os.symlink(folder, os.path.join(parent, "link"))
    os.symlink(archive, os.path.join(folder, "other.warc.gz"))
    return [
        "s.warc.gz",
        ".././dir/s.warc.gz",
        f"file://{archive}",
        f"file:///{archive}",
        f"{folder}//s.warc.gz",
        f"{parent}/link/s.warc.gz",
        "other.warc.gz",
    ]


def urls(sources):
    return [page.url for split in plan_splits(sources, 1 << 20) for page in SplitReader(split)]


def test_spellings_of_one_archive_count_each_page_once(archive, tmp_path):
    names = spellings(archive)
    path = table_of(tmp_path / "dir", [(name, *spot) for name in names for spot in SPOTS[:2]])
    (source,) = list_sources([path])
    assert source.ranges == tuple(SPOTS[:2])
    assert urls([source]) == ["https://host0.example/", "https://host1.example/"]
    again = table_of(tmp_path / "dir", [(name, *spot) for name in names[::-1] for spot in SPOTS[:2]], "u.csv")
    assert list_sources([again, path]) == [source]


def test_an_archive_given_whole_wins_over_its_ranges(archive, tmp_path):
    for name in spellings(archive):
        path = table_of(tmp_path / "dir", [(name, *SPOTS[1])])
        for whole in (archive, f"file://{archive}", f"{tmp_path}/link/../dir//s.warc.gz"):
            (source,) = list_sources([path, whole])
            assert source.ranges is None
            assert len(urls([source])) == 3


def test_relative_names_beside_a_remote_table():
    table, root = "s3://bucket/a/t.csv", "https://root.example/"
    for name in ("s.warc.gz", "./s.warc.gz", "../a/./s.warc.gz"):
        assert offsets._resolve(name, table, root) == "s3://bucket/a/s.warc.gz"
    assert offsets._resolve("../../../s.warc.gz", table, root).startswith("s3://bucket/")
    assert offsets._resolve("file:///x/s.warc.gz", table, root) == "/x/s.warc.gz"


@pytest.mark.parametrize(
    "row",
    [
        ("s.warc.gz", "Infinity", "5"), ("s.warc.gz", "0", "-Infinity"), ("s.warc.gz", "NaN", "5"),
        ("s.warc.gz", "-1", "5"), ("s.warc.gz", "0", "-5"), ("s.warc.gz", "0", "0"), ("s.warc.gz", "1.5", "5"),
        ("s.warc.gz", "0", "1e400"), ("s.warc.gz", "true", "5"), ("s.warc.gz", "0", "true"),
        ("s.warc.gz", str(1 << 62), "5"), ("s.warc.gz", "0", str((1 << 62) + 1)), ("s.warc.gz", "9" * 4000, "5"),
        ("s.warc.gz", "null", "5"), ("s.warc.gz", "[1]", "5"), ("", "0", "5"), ("a\0b.warc.gz", "0", "5"),
        ("\ud800.warc.gz", "0", "5"), (7, "0", "5"),
    ],
)  # fmt: skip
def test_rows_that_name_no_record(archive, tmp_path, row):
    first = json.dumps({"file": "s.warc.gz", "offset": 0, "length": 5})
    second = f'{{"file": {json.dumps(row[0])}, "offset": {row[1]}, "length": {row[2]}}}'
    path = write(tmp_path / "dir", f"{first}\n{second}\n".encode(), "t.jsonl")
    with pytest.raises(InputError, match=re.escape(path) + ": row 1 names"):
        list_sources([path])
    if isinstance(row[0], str) and row[0].isprintable():
        path = table_of(tmp_path / "dir", [("s.warc.gz", 0, 5), row])
        with pytest.raises(InputError, match=re.escape(path) + ": row 1 names"):
            list_sources([path])


def test_rows_of_parquet(archive, tmp_path):
    path = str(tmp_path / "dir" / "t.parquet")
    for kind, bad in [
        (pa.float64(), float("inf")), (pa.float64(), float("nan")), (pa.float64(), 0.5), (pa.float64(), 1e19),
        (pa.bool_(), True), (pa.uint64(), (1 << 64) - 1), (pa.int64(), None), (pa.decimal128(5, 1), Decimal("1.5")),
    ]:  # fmt: skip
        pq.write_table(pa.table({"file": ["s.warc.gz"], "offset": pa.array([bad], kind), "length": [5]}), path)
        with pytest.raises(InputError, match=r"t\.parquet: row 0 names"):
            list_sources([path])
    whole = pa.array([float(v) for v, _ in SPOTS])  # as pandas writes whole numbers beside missing ones
    lengths = pa.array([n for _, n in SPOTS], pa.decimal128(9, 0))
    pq.write_table(pa.table({"file": ["s.warc.gz"] * 3, "offset": whole, "length": lengths}), path)
    assert list_sources([path])[0].ranges == tuple(SPOTS)


def test_long_fields_of_csv(archive, tmp_path, monkeypatch):
    row = f"s.warc.gz,{SPOTS[1][0]},{SPOTS[1][1]}"
    path = tmp_path / "dir" / "t.csv"
    path.write_text(f"file,offset,length,note\n{row},{'x' * 200_000}\n")
    assert list_sources([str(path)])[0].ranges == (SPOTS[1],)
    path.write_text(f"file,offset,length,note\n{row},a\n{row},{'x' * (3 << 20)}\n{row},b\n")
    with pytest.raises(InputError, match=r"t\.csv: line 3 .*correct it"):
        list_sources([str(path)])
    quoted = "\n".join(["x" * 1000] * 2000)
    path.write_text(f'file,offset,length,note\n{row},a\n{row},"{quoted}"\n')
    with pytest.raises(InputError, match=r"t\.csv: row 1 .*larger than field limit"):
        list_sources([str(path)])
    path.write_text(f'"{quoted}",a\n1,2\n')  # no table of offsets: it does not matter in a folder
    assert [s.path for s in list_sources([str(tmp_path)])] == [archive]
    with pytest.raises(InputError, match="needs the columns"):
        list_sources([str(path)])
    assert csv.field_size_limit() >= 1 << 20


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "parquet"])
def test_a_table_with_the_text_column_is_text(archive, tmp_path, kind):
    row = {"filename": "s.warc.gz", "offset": SPOTS[1][0], "length": SPOTS[1][1], "body": "words"}
    path = str(tmp_path / "dir" / f"t.{kind}")
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist([row]), path)
    else:
        line = json.dumps(row).encode()
        write(tmp_path / "dir", gzip.compress(line) if kind.endswith("gz") else line, f"t.{kind}")
    assert [(s.path, s.ranges) for s in list_sources([path], text_column="body")] == [(path, None)]
    assert [(s.path, s.ranges) for s in list_sources([path])] == [(archive, (SPOTS[1],))]
