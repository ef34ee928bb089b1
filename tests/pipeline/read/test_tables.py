"""Tables of text, and tables of offsets."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from read_samples import html_record, members, one_split, read, read_in_splits, small_records, write

from pipeline.read.records import ReadLimits, TextColumns
from pipeline.read.sources import list_sources, plan_splits
from pipeline.read.splits import SplitReader
from pipeline.read.storage import InputError
from pipeline.read.tables import time_of

ROWS = [
    {"id": f"d{n}", "text": f"text \u00e4 {n}", "url": f"https://h.example/{n}", "fetched_at": "2024-05-01T00:00:00Z"}
    for n in range(30)
]
JSONL = "".join(json.dumps(r) + "\n" for r in ROWS).encode()
MAY = 1714521600_000_000


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress, zstandard.compress])
def test_json_lines(tmp_path, pack):
    path = write(tmp_path, pack(JSONL), "x.data")
    pages, regions, reader = read(path)
    assert [(p.record_id, p.text, p.url, p.fetched_at, p.source_offset, p.record_type) for p in pages] == [
        (r["id"], r["text"], r["url"], MAY, n, "row") for n, r in enumerate(ROWS)
    ]
    assert not regions
    assert reader.whole_file
    assert reader.records == Counter(row=30)
    assert len({p.payload_digest for p in pages}) == 30
    assert read_in_splits(path, 50)[0] == one_split(path)[0]
    assert len(read(path, skip=frozenset({3}))[0]) == 29


def test_json_lines_with_bad_rows(tmp_path):
    lines = [
        b'\xef\xbb\xbf{"id": 1, "text": "one"}', b"", b"no json", b"[1]", b'{"text": null}', b'{"text": "\\ud800x"}',
        b'{"text": "' + b"y" * 3000 + b'"}', b'{"text": "' + b"z" * 1500 + b'"}', b"[" * 100_000,
        b'{"id": "z", "text": "last"}',
    ]  # fmt: skip
    pages, _, reader = read(write(tmp_path, b"\n".join(lines), "x.jsonl"), ReadLimits(max_body_bytes=1000))
    assert [(p.source_offset, p.text or p.error[0]) for p in pages] == [
        (0, "one"), (1, "row_malformed"), (2, "row_malformed"), (3, "text_missing"), (4, "\ufffd\ufffd\ufffdx"),
        (5, "body_too_large"), (6, "body_too_large"), (7, "body_too_large"), (8, "last"),
    ]  # fmt: skip
    assert pages[0].record_id == "1"
    assert reader.records["row"] == 9


def test_json_lines_cut_and_without_the_column(tmp_path):
    pages, _, _ = read(write(tmp_path, gzip.compress(JSONL)[:-30], "x.jsonl.gz"))
    assert pages[-1].error[0] == "truncated"
    assert pages[0].text == ROWS[0]["text"]
    with pytest.raises(InputError, match=r"fetched_at, id, text, url.*--text-column"):
        read(write(tmp_path, JSONL), columns=TextColumns(text="body"))


def parquet(folder, rows=ROWS, **options):
    path = str(folder / "x.parquet")
    pq.write_table(pa.Table.from_pylist(rows), path, **options)
    return path


def test_parquet(tmp_path):
    path = parquet(tmp_path, row_group_size=4)
    pages, _, _ = read(path)
    assert [(p.record_id, p.text, p.url, p.fetched_at, p.source_offset) for p in pages] == [
        (r["id"], r["text"], r["url"], MAY, n) for n, r in enumerate(ROWS)
    ]
    for split_size in (100, 700, 5000):
        items, records, _ = read_in_splits(path, split_size)
        assert (items, records) == one_split(path)
    with pytest.raises(InputError, match="columns are fetched_at, id, text, url"):
        read(path, columns=TextColumns(text="content"))


def test_parquet_types_and_other_names(tmp_path):
    table = pa.table({
        "key": pa.array([7, None]),
        "body": pa.array(["a", None], pa.large_string()),
        "when": pa.array([datetime(2024, 5, 1, tzinfo=UTC), None], pa.timestamp("ns", tz="UTC")),
    })  # fmt: skip
    path = str(tmp_path / "y.parquet")
    pq.write_table(table, path)
    pages, _, _ = read(path, columns=TextColumns("key", "body", "none", "when"))
    assert [(p.record_id, p.text, p.fetched_at, p.url) for p in pages] == [
        ("7", "a", MAY, None),
        (None, None, None, None),
    ]
    assert pages[1].error[0] == "text_missing"


def test_damaged_parquet(tmp_path):
    path = parquet(tmp_path, row_group_size=4, compression="snappy", write_page_checksum=True)
    with open(path, "rb") as f:
        data = f.read()
    pages, _, _ = read(write(tmp_path, data[:-40], "cut.parquet"))
    assert [p.error[0] for p in pages] == ["parquet_corrupt"]
    for at in range(4, len(data), 97):
        broken = bytearray(data)
        broken[at] ^= 0xFF
        read(write(tmp_path, bytes(broken), "flip.parquet"))


def test_times():
    for value in (
        datetime(2024, 5, 1),
        date(2024, 5, 1),
        "2024-05-01",
        "20240501000000",
        1714521600,
        1714521600000,
        1714521600.0,
    ):
        assert time_of(value) == MAY
    for value in (None, True, "x", float("nan"), float("inf"), 10**30, b"x"):
        assert time_of(value) is None


def offsets(records):
    lengths = [len(gzip.compress(r, mtime=0)) for r in records]
    return [(sum(lengths[:n]), lengths[n]) for n in range(len(lengths))]


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl", "csv.gz"])
@pytest.mark.parametrize(
    "names", [("warc_filename", "warc_record_offset", "warc_record_length"), ("file", "offset", "length")]
)
def test_tables_of_offsets(tmp_path, kind, names):
    records = small_records(4)
    write(tmp_path, members(records), "a.warc.gz")
    spots = [offsets(records)[n] for n in (5, 2, 5)]
    rows = [dict(zip(names, ("a.warc.gz", *spot), strict=True)) for spot in spots]
    path = tmp_path / f"table.{kind}"
    csv_bytes = (",".join(names) + "\n" + "".join(",".join(str(v) for v in r.values()) + "\n" for r in rows)).encode()
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    else:
        path.write_bytes(gzip.compress(csv_bytes) if kind == "csv.gz" else csv_bytes)
    (source,) = list_sources([str(path)])
    assert source.path == str(tmp_path / "a.warc.gz")
    assert source.ranges == (spots[1], spots[0])
    (split,) = plan_splits([source], 1)
    assert [p.url for p in SplitReader(split)] == ["https://host0.example/", "https://host1.example/"]
    # The whole file, where it is given as well, is read once.
    assert [s.ranges for s in list_sources([str(path), str(tmp_path / "a.warc.gz")])] == [None]


def test_ranges_are_chunked(tmp_path):
    write(tmp_path, members([html_record(1)]), "a.warc.gz")
    table = tmp_path / "t.csv"
    table.write_text("filename,offset,length\n" + "".join(f"a.warc.gz,{n * 10},10\n" for n in range(2500)))
    splits = plan_splits(list_sources([str(table)]), 1 << 20)
    assert [len(s.ranges) for s in splits] == [1000, 1000, 500]
    assert [s.number for s in splits] == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [("a,b\n1,2\n", "needs the columns warc_filename"), ("file,offset,length\na,x,1\n", "row 0"),
     ("file,offset,length\na,1,0\n", "row 0"),
     ("file,offset,length\nnone.warc,1,5\n", "none.warc: no such file")],
)  # fmt: skip
def test_bad_tables_of_offsets(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        list_sources([str(tmp_path / "t.csv")])


def test_other_csv_files_in_a_folder_do_not_matter(tmp_path):
    path = write(tmp_path, members([html_record(1)]), "a.warc.gz")
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    assert [s.path for s in list_sources([str(tmp_path)])] == [path]


def test_overlapping_ranges_are_read_once(tmp_path):
    records = [html_record(i) for i in range(3)]
    write(tmp_path, members(records), "a.warc.gz")
    spots = offsets(records)
    both = (0, sum(spots[1]))
    rows = "".join(f"a.warc.gz,{o},{n}\n" for o, n in [spots[1], both, spots[0], spots[2]])
    (tmp_path / "t.csv").write_text("file,offset,length\n" + rows)
    (source,) = list_sources([str(tmp_path / "t.csv")])
    assert source.ranges == (both, spots[2])
    (split,) = plan_splits([source], 1)
    assert [p.source_offset for p in SplitReader(split)] == [o for o, _ in spots]


def test_text_tables_are_no_tables_of_offsets(tmp_path):
    assert list_sources([parquet(tmp_path), write(tmp_path, JSONL, "y.jsonl")])[0].ranges is None
    (tmp_path / "z.jsonl").write_bytes(bz2.compress(b"x"))
    assert list_sources([str(tmp_path / "z.jsonl")])[0].ranges is None


@pytest.mark.parametrize(
    "value",
    [
        -62135596801,  # a second before the year 1
        -9e10,
        -(10**14),
        2.6e14,  # in milliseconds
        float("-inf"),
        "9999-12-31T23:59:59-01:00",
        "0001-01-01T00:00:00+01:00",
        "0000-01-01",
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-2))),
        [MAY],
    ],
)
def test_times_that_python_cannot_represent(value):
    assert time_of(value) is None


def test_first_and_last_time():
    last = 253402300799_999999
    assert time_of(datetime.max) == time_of("9999-12-31T23:59:59.999999Z") == last
    assert time_of(-62135596800) == time_of(datetime.min) == time_of(date.min) == -62135596800_000000
    assert time_of(-(10**12)) == -(10**15)
    assert pa.array([last], pa.timestamp("us", "UTC")).to_pylist()


@pytest.mark.parametrize("kind", [pa.timestamp(u, z) for u in ("s", "ms", "us") for z in (None, "UTC", "Asia/Tokyo")])
def test_parquet_times_out_of_range_cost_no_row(tmp_path, kind):
    scale = {"s": 1, "ms": 1000, "us": 1_000_000}[kind.unit]
    values = [1 << 62, -(1 << 62), 253402300799 * scale, 253402300800 * scale, MAY // 1_000_000 * scale, None]
    if kind.unit == "s":  # Parquet has no seconds, and its milliseconds must hold them
        values[:2] = [1 << 52, -(1 << 52)]
    table = pa.table({"text": [f"t{n}" for n in range(6)], "fetched_at": pa.array(values, pa.int64()).cast(kind)})
    path = str(tmp_path / "t.parquet")
    pq.write_table(table, path)
    pages, _, _ = read(path)
    assert [p.text for p in pages] == [f"t{n}" for n in range(6)]
    assert [p.fetched_at for p in pages] == [None, None, 253402300799_000000, None, MAY, None]


def test_parquet_dates_zones_and_int96(tmp_path):
    path = str(tmp_path / "t.parquet")
    dates = pa.array([1 << 30, MAY // 86_400_000_000], pa.int32()).cast(pa.date32())
    pq.write_table(pa.table({"text": ["a", "b"], "fetched_at": dates}), path)
    assert [(p.text, p.fetched_at) for p in read(path)[0]] == [("a", None), ("b", MAY)]
    pq.write_table(pa.table({"text": ["a"], "fetched_at": pa.array([MAY], pa.timestamp("us", "No/Where"))}), path)
    assert [(p.text, p.fetched_at) for p in read(path)[0]] == [("a", MAY)]
    far = pa.array([datetime(3000, 1, 1), datetime(2024, 5, 1)], pa.timestamp("us"))
    pq.write_table(pa.table({"text": ["a", "b"], "fetched_at": far}), path, use_deprecated_int96_timestamps=True)
    assert [p.fetched_at for p in read(path)[0]] == [time_of("3000-01-01"), MAY]


def test_failed_rows_have_digests_of_their_own(tmp_path):
    lines = b'{"text": null}\n{"text": null}\nno\nno\n{"id": 1, "text": 3}\n{"id": 2, "text": 3}\n'
    path = write(tmp_path, lines, "x.jsonl")
    pages, _, _ = read(path)
    assert {p.error[0] for p in pages} == {"text_missing", "row_malformed"}
    digests = [p.payload_digest for p in pages]
    assert len(set(digests)) == 6
    assert digests == [p.payload_digest for p in read(path)[0]]
    with open(parquet(tmp_path, row_group_size=4), "rb") as f:
        broken = bytearray(f.read())
    broken[4:60] = b"\xff" * 56
    pages, _, _ = read(write(tmp_path, bytes(broken), "broken.parquet"))
    assert sum(p.error is not None for p in pages) > 1
    assert len({p.payload_digest for p in pages}) == 30


def test_an_identifier_that_cannot_be_written(tmp_path):
    deep = b"[" * 900 + b"]" * 900
    pages, _, _ = read(write(tmp_path, b'{"text": "a", "id": %b, "url": %b, "fetched_at": %b}' % (deep, deep, deep)))
    assert [(p.text, p.fetched_at) for p in pages] == [("a", None)]
