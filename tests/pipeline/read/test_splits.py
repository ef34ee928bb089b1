"""Splits of every size give what one sequential read gives."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from read_samples import (
    arc_entry,
    arc_header,
    html_record,
    http,
    members,
    one_split,
    read,
    read_in_splits,
    small_records,
    warc_record,
    write,
)
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from pipeline.read.records import Source, Split
from pipeline.read.sources import plan_splits
from pipeline.read.splits import SplitReader, SplitSummary, check_chain


def stored(data: bytes) -> bytes:
    """A gzip member whose deflate blocks are stored, so that what is inside stands in the file as it is."""
    out = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    for at in range(0, len(data), 60_000):
        part = data[at : at + 60_000]
        last = at + 60_000 >= len(data)
        out += bytes([last]) + struct.pack("<HH", len(part), len(part) ^ 0xFFFF) + part
    return out + struct.pack("<II", zlib.crc32(data), len(data))


def test_warcio_agrees(tmp_path):
    raw = io.BytesIO()
    writer = WARCWriter(raw, gzip=True)
    writer.write_record(writer.create_warcinfo_record("x.warc.gz", {"software": "test"}))
    for i in range(20):
        headers = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], protocol="HTTP/1.1")
        body = b"<html><body>" + b"text %d " % i * (i * 40) + b"</body></html>"
        writer.write_record(
            writer.create_warc_record(
                f"http://h.example/{i}", "response", payload=io.BytesIO(body), http_headers=headers
            )
        )
    path = write(tmp_path, raw.getvalue())
    pages, regions, reader = read(path)
    with open(path, "rb") as f:
        iterator = ArchiveIterator(f)
        wanted = []
        for r in iterator:
            if r.rec_type == "response":
                body = r.content_stream().read()  # before the offset, which moves on to the next record
                rec = r.rec_headers
                wanted.append((iterator.get_record_offset(), rec["WARC-Record-ID"], rec["WARC-Target-URI"], body))
    assert [(p.source_offset, p.record_id, p.url, p.body) for p in pages] == wanted
    assert not regions
    assert reader.records == Counter(warcinfo=1, response=20)
    assert reader.first_offset == 0
    assert reader.next_offset == len(raw.getvalue())


def test_every_split_size_gives_the_same(tmp_path):
    path = write(tmp_path, members(small_records(4)))
    expected = one_split(path)
    assert len(expected[0]) == 4
    size = len(members(small_records(4)))
    for split_size in [1, 2, 7, *range(20, size + 50, 61), 1 << 30]:
        items, records, again = read_in_splits(path, split_size)
        assert (items, records) == expected, split_size
        assert again == 0


def test_embedded_archive_in_a_stored_block(tmp_path):
    inner = members([html_record(700 + i, 200) for i in range(6)])
    payload = warc_record(
        http(inner, b"Content-Type: application/gzip\r\n"), 50, url="https://host.example/inner.warc.gz"
    )
    data = members(small_records(1)) + stored(payload) + members(small_records(2))
    path = write(tmp_path, data)
    expected = one_split(path)
    assert expected[1]["response"] == 4
    reread = 0
    for split_size in range(40, len(data), 37):
        items, records, again = read_in_splits(path, split_size)
        assert (items, records) == expected, split_size
        reread += again
    assert reread > 0  # some splits did begin inside the payload


def test_damage_and_garbage_have_the_same_extent_for_every_split_size(tmp_path):
    parts = [gzip.compress(r, mtime=0) for r in small_records(3)]
    parts.insert(4, b"\x1f\x8b\x08 garbage \0\xff" * 9)
    parts[7] = parts[7][: len(parts[7]) // 2]
    parts.insert(2, gzip.compress(b"", mtime=0) * 3)
    parts.append(b"tail that is no member")
    path = write(tmp_path, b"".join(parts))
    expected = one_split(path)
    assert [i[3] for i in expected[0] if i[0] == "region"].count("garbage_between_records") == 2
    for split_size in [1, 3, *range(11, 1500, 29)]:
        items, records, _ = read_in_splits(path, split_size)
        assert (sorted(items, key=repr), records) == (sorted(expected[0], key=repr), expected[1]), split_size


def test_last_member_is_read_beyond_the_end(tmp_path):
    data = members([html_record(1, 5000), html_record(2)])
    path = write(tmp_path, data)
    first = SplitReader(Split(0, path, 0, 10, len(data)))
    assert len(list(first)) == 1
    second = SplitReader(Split(1, path, 10, len(data), len(data)))
    assert len(list(second)) == 1
    assert first.next_offset == second.first_offset
    assert check_chain([first.summary, second.summary]) == []


def test_check_chain_names_the_split_to_read_again():
    splits = plan_splits([Source("a", 300)], 100)
    good = [
        SplitSummary(splits[0], 0, 120, False),
        SplitSummary(splits[1], 120, 250, False),
        SplitSummary(splits[2], 250, 300, False),
    ]
    assert check_chain(reversed(good)) == []
    wrong = [good[0], SplitSummary(splits[1], 110, 250, False), good[2]]
    (again,) = check_chain(wrong)
    assert again.number == 1
    assert again.exact_start == 120
    skipped = [
        SplitSummary(splits[0], 0, 220, False),
        SplitSummary(splits[1], None, None, False),
        SplitSummary(splits[2], 220, 300, False),
    ]
    assert check_chain(skipped) == []
    over = [
        SplitSummary(splits[0], 0, 220, False),
        SplitSummary(splits[1], 150, 220, False),
        SplitSummary(splits[2], 220, 300, False),
    ]
    assert [s.exact_start for s in check_chain(over)] == [220]
    assert check_chain([SplitSummary(s, None, None, True) for s in splits]) == []


def test_several_records_in_a_member_keep_unique_offsets(tmp_path):
    data = (
        gzip.compress(html_record(1))
        + gzip.compress(html_record(2, 300) + html_record(3, 300))
        + gzip.compress(html_record(4))
    )
    path = write(tmp_path, data)
    pages, regions, reader = read(path)
    second = len(gzip.compress(html_record(1)))
    assert [p.source_offset for p in pages][:3] == [0, second, second + 1]
    assert len({p.source_offset for p in pages}) == 4
    assert not regions
    assert not reader.whole_file
    assert read_in_splits(path, 50)[0] == one_split(path)[0]


def test_more_records_than_bytes_in_a_member(tmp_path):
    record = b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.b/\r\nContent-Length: 0\r\n\r\n\r\n\r\n"
    data = gzip.compress(html_record(2)) + gzip.compress(record * 5000, 9) + gzip.compress(html_record(3))
    pages, regions, _ = read(write(tmp_path, data))
    assert len({p.source_offset for p in pages}) == len(pages)
    assert pages[-1].record_id is not None
    assert pages[-1].record_id.endswith("3>")
    assert [r.code for r in regions] == ["too_many_records"]


def test_whole_file_kinds_belong_to_split_0(tmp_path):
    records = small_records(3)
    for name, data in (("one.warc.gz", gzip.compress(b"".join(records))), ("plain.warc", b"".join(records))):
        path = write(tmp_path, data, name)
        items, kinds, again = read_in_splits(path, 100)
        assert again == 0
        assert (len(items), kinds["response"]) == (3, 3)
        assert [i[1] for i in items] == [sum(map(len, records[:n])) for n in (2, 5, 8)]


def test_arc_in_splits(tmp_path):
    records = [arc_header()] + [arc_entry(f"http://h{i}.example/", http(b"<html>%d" % i)) for i in range(5)]
    path = write(tmp_path, members(records), "x.arc.gz")
    expected = one_split(path)
    assert len(expected[0]) == 5
    for split_size in range(1, 700, 23):
        assert read_in_splits(path, split_size)[:2] == expected


def test_skip_neither_yields_nor_decodes(tmp_path, monkeypatch):
    path = write(tmp_path, members([html_record(i) for i in range(3)]))
    offsets = [p.source_offset for p in read(path)[0]]
    pages, _, reader = read(path, skip=frozenset({offsets[1]}))
    assert [p.source_offset for p in pages] == [offsets[0], offsets[2]]
    assert reader.records["response"] == 3


def test_ranges_read_just_what_they_name(tmp_path):
    records = small_records(5)
    path = write(tmp_path, members(records))
    pages, _, _ = read(path)
    lengths = [len(gzip.compress(r, mtime=0)) for r in records]
    starts = [sum(lengths[:n]) for n in range(len(lengths))]
    wanted = [(starts[n], lengths[n]) for n in (2, 8)] + [(3, 50)]
    source = Source(path, sum(lengths), tuple(sorted(wanted)))
    (split,) = plan_splits([source], 10)
    reader = SplitReader(split)
    items = list(reader)
    assert [i.code for i in items if hasattr(i, "code")] == ["no_record_at_offset"]
    assert [i.source_offset for i in items if hasattr(i, "url")] == [pages[0].source_offset, pages[2].source_offset]
    assert reader.bytes_read <= sum(n for _, n in wanted)
    assert reader.records == Counter(response=2)


def test_ranges_in_a_plain_file(tmp_path):
    records = [html_record(i) for i in range(3)]
    path = write(tmp_path, b"".join(records), "p.warc")
    (split,) = plan_splits([Source(path, sum(map(len, records)), ((len(records[0]), len(records[1])),))], 10)
    (page,) = list(SplitReader(split))
    assert page.source_offset == len(records[0])
    assert page.error is None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(1, 900), st.integers(0, 2000))
def test_any_mix_of_parts_reads_the_same_in_splits(tmp_path, kinds, split_size, filler):
    parts = []
    for n, kind in enumerate(kinds):
        sound = gzip.compress(html_record(n, filler % 300), mtime=0)
        parts.append(
            {0: sound, 1: gzip.compress(b"", mtime=0), 2: sound[: len(sound) // 2], 3: b"\x1f\x8b\x08\0junk" * 3}[kind]
        )
    path = write(tmp_path, b"".join(parts))
    items, records, _ = read_in_splits(path, split_size)
    expected = one_split(path)
    assert (sorted(items, key=repr), records) == (sorted(expected[0], key=repr), expected[1])


def test_split_size_must_be_positive():
    with pytest.raises(Exception, match="split-size"):
        plan_splits([], 0)
