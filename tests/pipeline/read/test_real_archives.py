"""Real, malformed and corrupted archives of the test data, against their indexes. Skipped where it is absent."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter

import pytest
from read_samples import data_folder, one_split, read, read_in_splits

# What the index (made with warcio) counts otherwise, and why.
FEWER_HTML = {
    "chatnoir-eu+chatnoir-resiliparse/clipped.warc.gz",  # cut: a failed page
    "internetarchive+CDX-Writer/giant_html.warc.gz",  # over 64 MiB: a failed page
}
OTHER_RECORDS = {
    "oduwsdl+ipwb/broken.warc",  # warcio counts lines of HTTP headers as ARC records
    "toimik+WarcProtocol/missing_header_field.warc",  # a header without end
    "toimik+WarcProtocol/premature_w_trailing_newline.warc",
    "toimik+WarcProtocol/premature_wo_trailing_newline.warc",
}


def index(folder):
    with open(folder / "index.jsonl", encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def as_warcio(records):
    counts = Counter(records)
    counts["warcinfo"] += counts.pop("arc_header", 0)
    counts["response"] += counts.pop("dns", 0)
    return +counts


@pytest.mark.parametrize("name", ["warc-real", "warc-malformed"])
def test_against_warcio(name):
    folder = data_folder(name)
    for row in index(folder):
        pages, regions, reader = read(str(folder / row["file"]))
        html = sum(p.status == 200 and p.body is not None for p in pages)
        assert len(pages) >= row["html200"] or "warcio_error" in row, row["file"]
        if row["file"] not in FEWER_HTML:
            assert html >= row["html200"], row["file"]
        if "warcio_error" not in row and row["file"] not in OTHER_RECORDS:
            wanted = Counter(row["records_read_by_warcio"])
            wanted["unknown"] += wanted.pop("null", 0)
            assert as_warcio(reader.records) >= +wanted, row["file"]
        assert pages or regions or reader.records, row["file"]
        assert len({p.source_offset for p in pages}) == len(pages), row["file"]


def test_corrupted_archives():
    folder = data_folder("warc-corrupted-derived")
    for row in index(folder):
        pages, regions, _ = read(str(folder / row["file"]))
        expect = row["expect"]
        if match := re.match(r"pages (==|>=) (\d+)", expect):
            assert len(pages) == int(match[2]) or (
                len(pages) > int(match[2]) and (match[1] == ">=" or " or " in expect or "(or" in expect)
            )
        elif match := re.match(r"pages in \{(\d+),(\d+)\}", expect):
            assert len(pages) in (int(match[1]), int(match[2])), row["file"]
        if "error" in expect:
            assert regions or any(p.error for p in pages) or not row["bytes"], row["file"]


@pytest.mark.parametrize("name", ["warc-real", "warc-malformed", "warc-corrupted-derived"])
def test_splits_of_real_archives(name):
    folder = data_folder(name)
    for row in index(folder):
        if row["bytes"] < 150_000:
            path = str(folder / row["file"])
            expected = one_split(path)
            for split_size in (997, 8191, 60_000):
                items, records, _ = read_in_splits(path, split_size)
                assert (items, records) == expected, (row["file"], split_size)


def test_pool_has_every_page_of_its_list():
    folder = data_folder("warc")
    name = "CCLIKE-DEV-00007.warc.gz"
    with gzip.open(folder / "pages.jsonl.gz", "rt", encoding="utf-8") as f:
        wanted = {(r["offset"], r["record_id"], r["url"]) for r in map(json.loads, f) if r["warc"] == name}
    pages, regions, _ = read(str(folder / name))
    assert {(p.source_offset, p.record_id, p.url) for p in pages} == wanted
    assert not regions
    assert not any(p.error for p in pages)
