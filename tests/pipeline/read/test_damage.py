"""Damage anywhere costs the record it stands in, and nothing else."""

from __future__ import annotations

import gzip
import time

import pytest
import zstandard
from read_samples import (
    HTML,
    arc_entry,
    arc_header,
    html_record,
    http,
    members,
    read,
    small_records,
    warc_record,
    write,
)

from pipeline.read.records import ReadLimits

IDS = {f"<urn:uuid:00000000-0000-4000-8000-{i:012d}>" for i in range(3)}


def sound(pages):
    return {p.record_id for p in pages if p.error is None and p.body is not None}


def owners(parts):
    """Index of the part each byte is in."""
    return [n for n, part in enumerate(parts) for _ in part]


def records_and_parts():
    records = [html_record(i) for i in range(3)]
    return records, [gzip.compress(r, mtime=0) for r in records]


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_flipped_byte_in_gzip_per_record(tmp_path, mask):
    _, parts = records_and_parts()
    data, owner = b"".join(parts), owners(parts)
    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= mask
        pages, regions, _ = read(write(tmp_path, bytes(broken)))
        lost = IDS - sound(pages)
        assert lost <= {f"<urn:uuid:00000000-0000-4000-8000-{owner[at]:012d}>"}, at
        assert not lost or regions or any(p.error for p in pages), f"silent loss at {at}"
        assert len({p.source_offset for p in pages}) == len(pages)


def test_cut_gzip_per_record(tmp_path):
    _, parts = records_and_parts()
    data = b"".join(parts)
    whole = [len(b"".join(parts[: n + 1])) for n in range(3)]
    for at in range(len(data)):
        pages, regions, _ = read(write(tmp_path, data[:at]))
        assert len(sound(pages)) == sum(at >= n for n in whole), at
        if at not in (0, *whole):
            assert regions or any(p.error for p in pages), at


def test_flipped_and_cut_plain_file(tmp_path):
    records, _ = records_and_parts()
    data, owner = b"".join(records), owners(records)
    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= 0x55
        pages, _, _ = read(write(tmp_path, bytes(broken)))
        for n, page_id in enumerate(sorted(IDS)):
            if n != owner[at] and not (n == owner[at] + 1 and at >= len(b"".join(records[:n])) - 4):
                assert page_id in sound(pages), at
        read(write(tmp_path, data[:at]))


def test_flipped_bytes_in_one_big_gzip_and_zstd(tmp_path):
    records = small_records(3)
    whole = gzip.compress(b"".join(records), mtime=0)
    frames = [zstandard.ZstdCompressor(write_checksum=True).compress(html_record(i)) for i in range(3)]
    for at in range(0, len(whole), 3):
        broken = bytearray(whole)
        broken[at] ^= 0x10
        pages, regions, _ = read(write(tmp_path, bytes(broken)))
        assert pages or regions, at
    data, owner = b"".join(frames), owners(frames)
    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= 0x10
        pages, regions, _ = read(write(tmp_path, bytes(broken)))
        assert IDS - sound(pages) <= {f"<urn:uuid:00000000-0000-4000-8000-{owner[at]:012d}>"}, at
        read(write(tmp_path, data[:at]))


def test_flipped_bytes_in_arc(tmp_path):
    entries = [arc_header()] + [arc_entry(f"http://h{i}.example/", http(HTML % i)) for i in range(3)]
    for parts in (entries, [gzip.compress(e, mtime=0) for e in entries]):
        data, owner = b"".join(parts), owners(parts)
        for at in range(len(data)):
            broken = bytearray(data)
            broken[at] ^= 0x20
            pages, _, _ = read(write(tmp_path, bytes(broken), "x.arc"))
            have = {p.body for p in pages if p.error is None}
            for n in range(3):
                if n + 1 > owner[at] + 1 or n + 1 < owner[at]:
                    assert HTML % n in have, at


@pytest.mark.parametrize(
    ("length", "code"),
    [("99999999999999999999999", "bad_content_length"), ("-5", "bad_content_length"), ("abc", "bad_content_length"),
     ("", "bad_content_length"), ("104857600", "length_mismatch"), ("100000", "length_mismatch")],
)  # fmt: skip
@pytest.mark.parametrize("compress", [True, False])
def test_lengths_that_lie(tmp_path, length, code, compress):
    bad = warc_record(http(HTML % 9), 9, length=length)
    records = [html_record(0), bad, html_record(1), html_record(2)]
    data = members(records) if compress else b"".join(records)
    pages, regions, _ = read(write(tmp_path, data))
    assert len(pages) == 4
    assert sound(pages) == IDS
    assert [p.error[0] for p in pages if p.error] == [code]
    assert not regions


@pytest.mark.parametrize("compress", [True, False])
def test_length_too_short_is_told(tmp_path, compress):
    records = [html_record(0), warc_record(http(HTML % 9), 9, length="100"), html_record(1), html_record(2)]
    pages, regions, _ = read(write(tmp_path, members(records) if compress else b"".join(records)))
    assert len(pages) == 4
    assert sound(pages) >= IDS
    assert [r.code for r in regions] == ["garbage_between_records"]


def test_crc_alone_is_a_failed_page(tmp_path):
    parts = [gzip.compress(html_record(i), mtime=0) for i in range(3)]
    parts[1] = parts[1][:-8] + bytes(8)
    pages, regions, _ = read(write(tmp_path, b"".join(parts)))
    assert [p.error and p.error[0] for p in pages] == [None, "gzip_corrupt", None]
    assert pages[1].record_id == sorted(IDS)[1]
    assert str(pages[1].source_offset) in pages[1].error[1]
    assert not regions


def test_garbage_between_members(tmp_path):
    parts = [gzip.compress(html_record(i), mtime=0) for i in range(3)]
    pages, regions, _ = read(write(tmp_path, parts[0] + b"\x1f\x8b\x08\xff" * 50 + parts[1] + parts[2]))
    assert sound(pages) == IDS
    assert [(r.source_offset, r.end_offset, r.code) for r in regions] == [
        (len(parts[0]), len(parts[0]) + 200, "garbage_between_records")
    ]


def test_damaged_record_that_is_no_page_is_a_region(tmp_path):
    request = warc_record(b"GET / HTTP/1.1\r\n\r\n", 5, "request")
    cut = gzip.compress(request, mtime=0)[:-20]
    data = members([html_record(0)]) + cut + members([html_record(1), html_record(2)])
    pages, regions, _ = read(write(tmp_path, data))
    assert sound(pages) == IDS
    assert len(regions) == 1
    assert regions[0].source_offset == len(members([html_record(0)]))
    assert regions[0].end_offset == regions[0].source_offset + len(cut)


def test_large_records_are_passed_over(tmp_path):
    limits = ReadLimits(max_record_bytes=100_000, max_body_bytes=50_000)
    big = warc_record(http(b"<html>" + b"x" * 300_000), 7)
    middling = warc_record(http(b"<html>" + b"x" * 60_000), 8)
    records = [html_record(0), big, html_record(1), middling, html_record(2)]
    for data in (members(records), b"".join(records), gzip.compress(b"".join(records))):
        pages, regions, _ = read(write(tmp_path, data), limits)
        assert sound(pages) == IDS
        assert [p.error[0] for p in pages if p.error] == ["record_too_large", "body_too_large"]
        assert not regions


def test_endless_headers(tmp_path):
    limits = ReadLimits(max_header_bytes=50_000)
    long_header = warc_record(http(HTML % 9), 9, more="X: " + "y" * 200_000)
    long_http = warc_record(http(HTML % 9, b"X: " + b"y" * 200_000 + b"\r\n"), 9)
    for compress in (members, b"".join):
        pages, regions, _ = read(
            write(tmp_path, compress([html_record(0), long_header, html_record(1), html_record(2)])), limits
        )
        assert sound(pages) == IDS
        assert [r.code for r in regions] == ["header_too_large"]
        pages, regions, _ = read(
            write(tmp_path, compress([html_record(0), long_http, html_record(1), html_record(2)])), limits
        )
        assert [p.error[0] for p in pages if p.error] == ["http_header_too_large"]
        assert sound(pages) == IDS


def test_a_member_bomb_is_passed_in_bounded_time(tmp_path):
    bomb = gzip.compress(warc_record(http(b"<html>" + bytes(150_000_000)), 9), 9)
    began = time.process_time()
    pages, _, _ = read(write(tmp_path, members([html_record(0)]) + bomb + members([html_record(1), html_record(2)])))
    assert time.process_time() - began < 5
    assert sound(pages) == IDS
    assert [p.error[0] for p in pages if p.error] == ["record_too_large"]


def test_hostile_bytes_take_linear_time(tmp_path):
    folded = warc_record(http(HTML % 9, b"X: y\r\n" + b" z\n" * 900_000), 9)
    lines = b"http:\n" * 500_000
    magics = b"\x1f\x8b\x08\0\0\0\0\0\0\0" * 60_000
    spaces = warc_record(
        http(HTML % 9, b"X:" + b" " * 3_000_000 + b"y\r\n"), 9, more="Y: a\r\n" + " \t" * 1_000_000 + "b"
    )
    chunks = warc_record(http(b"1\r\na\r\n" * 700_000, b"Transfer-Encoding: chunked\r\n"), 9)
    for data in (folded, lines, magics, spaces, chunks, lines + b" " * 3_000_000):
        for packed in (data, members([data])):
            began = time.process_time()
            pages, _, _ = read(write(tmp_path, members([html_record(0)]) + packed + members([html_record(1)])))
            assert time.process_time() - began < 4
            assert len(sound(pages) & IDS) == 2


def test_files_of_noise_never_raise(tmp_path):
    import random

    noise = random.Random(3)
    for magic in (
        b"",
        b"\x1f\x8b\x08\0",
        b"\x28\xb5\x2f\xfd",
        b"WARC/1.0\r\n",
        b"http://a.b/ 1.2.3.4 2000 x 5\n",
        b"PAR1",
        b"{",
        b"\xfd7zXZ\0",
    ):
        for length in (0, 1, 5, 50, 5000):
            pages, regions, reader = read(write(tmp_path, magic + noise.randbytes(length)))
            assert pages or regions or reader.records or not magic + bytes(length) or magic == b"{"


def test_an_exception_in_one_record_costs_that_record(tmp_path, monkeypatch):
    from pipeline.read import http as http_module

    real = http_module.parse_head

    def fails(block, limit):
        if b"Hello 1<" in block:
            raise RuntimeError("page text must not appear")
        return real(block, limit)

    monkeypatch.setattr(http_module, "parse_head", fails)
    pages, _, _ = read(write(tmp_path, members([html_record(i) for i in range(3)])))
    assert len(sound(pages)) == 2
    (failed,) = [p for p in pages if p.error]
    assert failed.error[0] == "record_unreadable"
    assert "must not" not in failed.error[1]
