"""Formats by content, and what becomes a page in each."""

from __future__ import annotations

import gzip
import lzma
import tracemalloc
import zlib
from collections import Counter

import pytest
import xxhash
import zstandard
from read_samples import (
    HTML,
    arc_entry,
    arc_header,
    html_record,
    http,
    key,
    members,
    read,
    record_id,
    small_records,
    warc_record,
    write,
)

from pipeline.read import arc, gzip_members, storage, streams, warc
from pipeline.read.records import Split
from pipeline.read.splits import SplitReader

US = 1_000_000


def test_same_pages_from_every_packing(tmp_path):
    records = small_records(3)
    plain = b"".join(records)
    packs = {
        "members": members(records),
        "one gzip": gzip.compress(plain),
        "blocks that cut records": b"".join(gzip.compress(plain[n : n + 100]) for n in range(0, len(plain), 100)),
        "plain": plain,
        "one zstd": zstandard.compress(plain),
        "zstd frames": b"".join(zstandard.compress(r) for r in records),
        "skippable": b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstandard.compress(plain),
        "blank lines first": b"\r\n\n" + plain,
    }
    wanted = [(record_id(i), HTML % i) for i in range(3)]
    for name, data in packs.items():
        pages, regions, reader = read(write(tmp_path, data, "x.bin"))
        assert [(p.record_id, p.body[: len(HTML) - 1]) for p in pages] == wanted, name
        assert not regions, name
        assert reader.records == Counter(warcinfo=1, request=3, response=3, metadata=3), name
        assert len({p.source_offset for p in pages}) == 3, name
        assert reader.whole_file == (name != "members"), name


@pytest.mark.parametrize("chunk", [1, 7, 100, 4096])
def test_chunk_sizes_change_nothing(tmp_path, monkeypatch, chunk):
    records = small_records(2)
    arcs = [arc_header(), arc_entry("http://a.example/", http(HTML % 1)), arc_entry("http://b.example/", HTML % 2)]
    short = warc_record(http(HTML % 9), 9, length="90")
    long = warc_record(http(HTML % 9), 9, length="700")
    packs = []
    for parts in (
        records,
        arcs,
        [*records, short, *records],
        [*records, long, *records],
        [*records, b"noise\r\n\r\n", *records],
    ):
        plain = b"".join(parts)
        frames = b"".join(zstandard.compress(p) for p in parts)
        packs += [
            members(parts),
            gzip.compress(plain),
            plain,
            frames,
            members(parts)[:-70],
            gzip.compress(plain)[:-200],
        ]
    before = []
    for data in packs:
        pages, regions, reader = read(write(tmp_path, data))
        before.append(([key(i) for i in pages + regions], reader.records, reader.next_offset))
    monkeypatch.setattr(storage.LocalFile, "chunk_bytes", chunk)
    monkeypatch.setattr(streams, "PLAIN_CHUNK", chunk)
    monkeypatch.setattr(gzip_members, "STEP", chunk)
    monkeypatch.setattr(gzip_members, "PIECE", max(chunk, 5))
    for data, expected in zip(packs, before, strict=True):
        pages, regions, reader = read(write(tmp_path, data))
        assert ([key(i) for i in pages + regions], reader.records, reader.next_offset) == expected


def test_without_isal(tmp_path, monkeypatch):
    path = write(tmp_path, members(small_records(3)))
    before = [key(p) for p in read(path)[0]]
    monkeypatch.setattr(gzip_members, "_fast", zlib)
    assert [key(p) for p in read(path)[0]] == before


def test_memory_does_not_grow_with_the_file(tmp_path):
    records = [html_record(i, 20_000) for i in range(600)]
    for data in (members(records, 1), b"".join(records), gzip.compress(b"".join(records), 1)):
        path = write(tmp_path, data)
        reader = SplitReader(Split(0, path, 0, len(data), len(data)))
        tracemalloc.start()
        assert sum(1 for _ in reader) == 600
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 6 << 20


def test_zstd_dictionary(tmp_path):
    records = small_records(40)
    dictionary = zstandard.train_dictionary(4000, [r[:400] for r in records] * 5)
    compressor = zstandard.ZstdCompressor(dict_data=dictionary)
    frames = b"".join(compressor.compress(r) for r in records)
    for stored in (dictionary.as_bytes(), zstandard.compress(dictionary.as_bytes())):
        data = b"\x5d\x2a\x4d\x18" + len(stored).to_bytes(4, "little") + stored + frames
        pages, regions, _ = read(write(tmp_path, data, "d.warc.zst"))
        assert (len(pages), regions) == (40, [])


@pytest.mark.parametrize(
    ("data", "code", "word"),
    [
        (b"\x04\x22\x4d\x18junk", "unsupported_format", "lz4"),
        (b"7z\xbc\xaf\x27\x1cjunk", "unsupported_format", "7z"),
        (b"BZh9junk", "unsupported_format", "bzip2"),
        (lzma.compress(b"no json"), "unsupported_format", "xz"),
        (b"\x89PNG....", "unsupported_format", "89504e47"),
        (b"<html>page text", "unsupported_format", "3c68746d"),
        (gzip.compress(b"other data", mtime=0), "not_an_archive", "gzip"),
        (zstandard.compress(b"other data"), "not_an_archive", "zstd"),
    ],
)
def test_not_read(tmp_path, data, code, word):
    pages, (region,), _ = read(write(tmp_path, data))
    assert not pages
    assert (region.source_offset, region.end_offset, region.code) == (0, len(data), code)
    assert word in region.message
    assert "page text" not in region.message


def test_empty_files(tmp_path):
    for data in (b"", b"\r\n\r\n", gzip.compress(b"", mtime=0)):
        pages, regions, reader = read(write(tmp_path, data))
        assert (pages, regions, reader.records) == ([], [], Counter())


def test_which_records_are_pages(tmp_path):
    records = [
        warc_record(b"fetched 1.2.3.4", 1, url="dns:host.example", content_type="text/dns"),
        warc_record(b"20 text/gemini\r\nhi", 2, url="gemini://host.example/", content_type="application/gemini"),
        warc_record(b"Text of a p\xc3\xa4ge \xff", 3, "conversion", content_type="text/plain"),
        warc_record(HTML % 4, 4, "resource", content_type="text/html; charset=latin1"),
        warc_record(b"\x89PNG", 5, "resource", content_type="image/png"),
        warc_record(http(b""), 6, "revisit"),
        warc_record(b"more", 7, "continuation"),
        warc_record(http(HTML % 8), 8, url=None),
        warc_record(http(HTML % 9), 9, date="yesterday"),
        warc_record(http(b"gone", status=b"404 Not Found"), 10),
        warc_record(http(b"{}", b"Content-Type: application/json\r\n"), 11),
        warc_record(http(HTML % 12, b""), 12, more="WARC-Truncated: length"),
        warc_record(http(b""), 13),
        warc_record(b"x", 14, "no;such\x01type"),
        warc_record(HTML % 15, 15),
    ]
    pages, regions, reader = read(write(tmp_path, members(records)))
    assert not regions
    by_id = {int(p.record_id[-13:-1]): p for p in pages}
    assert sorted(by_id) == [3, 4, 8, 9, 10, 11, 12, 13, 15]
    assert all(p.error is None for p in pages)
    assert by_id[3].text == "Text of a p\xe4ge \ufffd"
    assert by_id[3].body is None
    assert (by_id[4].body, by_id[4].media_type, by_id[4].charset) == (HTML % 4, "text/html", "latin1")
    assert by_id[8].url is None
    assert by_id[9].fetched_at is None
    assert (by_id[10].status, by_id[10].body) == (404, None)
    assert (by_id[11].status, by_id[11].body) == (200, None)
    assert (by_id[12].body, by_id[12].truncated) == (HTML % 12, "length")
    assert by_id[13].body == b""
    assert (by_id[15].body, by_id[15].status, by_id[15].headers) == (HTML % 15, 200, [])
    assert by_id[9].payload_digest == xxhash.xxh3_128_digest(HTML % 9)
    assert reader.records == Counter(response=9, conversion=1, resource=2, revisit=1, continuation=1, other=1)


def test_odd_headers(tmp_path):
    lf_only = html_record(1).replace(b"\r\n", b"\n")
    folded = html_record(2).replace(b"WARC-Target-URI: ", b"WARC-Target-URI:\r\n  ")
    small = html_record(3).replace(b"WARC/1.0", b"warc/0.18").replace(b"WARC-Type", b"warc-type")
    wget = warc_record(http(HTML % 4), 4, url="<https://host4.example/>", version="WARC/1.1")
    many = warc_record(http(HTML % 5), 5, more="\r\n".join(f"X-{n}: y" for n in range(10_000)))
    binary = html_record(6).replace(b"host6", b"h\xf6st6")
    records = [lf_only, folded, small, wget, many, binary]
    for data in (members(records), b"".join(records)):
        pages, regions, _ = read(write(tmp_path, data))
        assert [p.error for p in pages] == [None] * 6
        assert [p.url for p in pages][1:4] == [
            "https://host2.example/",
            "https://host3.example/",
            "https://host4.example/",
        ]
        assert pages[5].url == "https://h\xf6st6.example/"
        assert not regions


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2024-05-01T00:00:00Z", 1714521600 * US),
        ("2024-05-01T00:00:00.123456789Z", 1714521600 * US + 123456),
        ("2024-05-01T00:00:00.5Z", 1714521600 * US + 500000),
        ("2024-05-01T02:00:00+02:00", 1714521600 * US),
        ("2024-05-01", 1714521600 * US),
        ("2024-05", 1714521600 * US),
        ("2024", 1704067200 * US),
        ("1969-12-31T23:59:59Z", -1 * US),
        ("2024-13-01T00:00:00Z", None),
        ("", None),
        ("yesterday", None),
        ("0000-00-00T00:00:00Z", None),
    ],
)
def test_dates(text, micros):
    assert warc.parse_date(text) == micros


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("20240501000000", 1714521600 * US),
        ("202405010000", 1714521600 * US),
        ("2024050100", 1714521600 * US),
        ("20240501", 1714521600 * US),
        ("2024050100000099", 1714521600 * US),
        ("20240501000000jpg", 1714521600 * US),
        ("20240500000000", None),
        ("a0d1fdddf3165d04", None),
        ("10010501000000", None),
        ("", None),
    ],
)
def test_arc_dates(text, micros):
    assert arc.parse_date(text) == micros


def test_arc(tmp_path):
    body = http(HTML % 1)
    version_2 = b"http://v2.example/ 192.0.2.1 20240501000000 text/html 200 - - 0 x.arc %d\n" % len(body) + body + b"\n"
    for version in (1, 2):
        entries = [
            arc_header(version),
            arc_entry("http://a.example/with space/x", body),
            arc_entry("dns:a.example", b"20240501 a. 1 IN A 192.0.2.1", mime="text/dns"),
            arc_entry("http://b.example/", body, mime="text/html; charset=x"),
            arc_entry("http://c.example/", body, mime=""),
            b"http://d.example/ 20240501000000 192.0.2.1 text/html %d\n" % len(body) + body + b"\n",
            version_2,
            arc_entry("http://e.example/", body, length="-7"),
            arc_entry("http://f.example/", HTML % 2),
            arc_entry("ftp://g.example/", b"x"),
        ]
        for data in (b"".join(entries), members(entries), gzip.compress(b"".join(entries))):
            pages, regions, reader = read(write(tmp_path, data, "x.arc"))
            assert [p.url for p in pages] == [
                "http://a.example/with space/x", *(f"http://{h}.example/" for h in ("b", "c", "d", "v2", "e", "f")),
            ]  # fmt: skip
            assert [p.error and p.error[0] for p in pages] == [None] * 5 + ["bad_content_length", None]
            assert [p.body for p in pages if not p.error] == [HTML % 1] * 5 + [HTML % 2]
            assert pages[3].fetched_at == 1714521600 * US
            assert not regions
            assert reader.records == Counter(arc_header=1, dns=1, response=8)
            assert {p.record_id for p in pages} == {None}


def test_arc_header_takes_linear_time():
    assert arc.parse_header(b"http://" + b" -" * 4000 + b"\n") is None
    assert arc.parse_header(b"http:" + b" None" * 1600 + b" x!\n") is None
