"""Generated archives and the ways the tests read them."""

from __future__ import annotations

import gzip
import io
import os
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.read.records import Page, ReadLimits, Region, Split
from pipeline.read.sources import Source, plan_splits
from pipeline.read.splits import SplitReader, check_chain

HTML = b"<!doctype html><html><head><title>t</title></head><body><p>Hello %d</p></body></html>"


def data_folder(name: str) -> Path:
    """A folder of test data, beside the repository or under HEADWATER_TEST_DATA; skips where it is absent."""
    given = os.environ.get("HEADWATER_TEST_DATA")
    beside = sorted(Path(__file__).resolve().parents[4].glob("*/data"))
    for folder in [Path(given)] if given else beside:
        if (folder / name).is_dir():
            return folder / name
    pytest.skip(f"test data {name} is absent: name its folder in HEADWATER_TEST_DATA")


def record_id(i: int) -> str:
    return f"<urn:uuid:00000000-0000-4000-8000-{i:012d}>"


def warc_record(
    block: bytes,
    i: int = 1,
    kind: str = "response",
    url: str | None = "https://host.example/page",
    date: str | None = "2024-05-01T00:00:00Z",
    content_type: str | None = "application/http; msgtype=response",
    length: str | None = None,
    more: str = "",
    version: str = "WARC/1.0",
) -> bytes:
    lines = [version, f"WARC-Type: {kind}", f"WARC-Record-ID: {record_id(i)}"]
    lines += [f"WARC-Date: {date}"] if date else []
    lines += [f"WARC-Target-URI: {url}"] if url else []
    lines += [f"Content-Type: {content_type}"] if content_type else []
    lines += [more] if more else []
    lines += [f"Content-Length: {length if length is not None else len(block)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + block + b"\r\n\r\n"


def http(
    body: bytes, headers: bytes = b"Content-Type: text/html; charset=utf-8\r\n", status: bytes = b"200 OK"
) -> bytes:
    return b"HTTP/1.1 " + status + b"\r\n" + headers + b"\r\n" + body


def html_record(i: int, filler: int = 0) -> bytes:
    """A response; `filler` bytes of text that does not compress."""
    noise = random.Random(i).randbytes(filler // 2).hex().encode()
    return warc_record(http(HTML % i + b"<!--" + noise + b"-->"), i, url=f"https://host{i}.example/")


def small_records(pages: int = 6, filler: int = 120) -> list[bytes]:
    """warcinfo, and request, response and metadata for each page."""
    records = [warc_record(b"software: test\r\n", 900, "warcinfo", None, content_type="application/warc-fields")]
    for i in range(pages):
        url = f"https://host{i}.example/"
        records.append(
            warc_record(
                b"GET / HTTP/1.1\r\n\r\n", 100 + i, "request", url, content_type="application/http; msgtype=request"
            )
        )
        records.append(html_record(i, filler))
        records.append(
            warc_record(b"fetchTimeMs: 1\r\n", 200 + i, "metadata", url, content_type="application/warc-fields")
        )
    return records


def members(records: list[bytes], level: int = 6) -> bytes:
    return b"".join(gzip.compress(r, level, mtime=0) for r in records)


def arc_entry(
    url: str, body: bytes, date: str = "20080430204825", mime: str = "text/html", length: str | None = None
) -> bytes:
    size = str(len(body)) if length is None else length
    return f"{url} 192.0.2.1 {date} {mime} {size}\n".encode() + body + b"\n"


def arc_header(version: int = 1) -> bytes:
    fields = (
        "URL IP-address Archive-date Content-type Archive-length"
        if version == 1
        else "URL IP-address Archive-date Content-type Result-code Checksum Location Offset Filename Archive-length"
    )
    body = f"{version} 0 Test\n{fields}\n".encode()
    return f"filedesc://test.arc 0.0.0.0 20080430204825 text/plain {len(body)}\n".encode() + body + b"\n"


def write(folder: Path, data: bytes, name: str = "file.warc.gz") -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


def read(
    path: str, limits: ReadLimits | None = None, **options: object
) -> tuple[list[Page], list[Region], SplitReader]:
    """Reads a file as one split."""
    size = os.path.getsize(path)
    reader = SplitReader(Split(0, path, 0, max(size, 1), size), limits, **options)  # type: ignore[arg-type]
    items = list(reader)
    return [p for p in items if isinstance(p, Page)], [r for r in items if isinstance(r, Region)], reader


def key(item: Page | Region) -> tuple[object, ...]:
    if isinstance(item, Region):
        return ("region", item.source_offset, item.end_offset, item.code, item.message)
    return ("page", item.source_offset, item.record_id, item.url, item.body, item.text, item.error, item.payload_digest)


def read_in_splits(path: str, split_size: int) -> tuple[list[tuple[object, ...]], Counter[str], int]:
    """Reads split by split, with the chain checked; what it gives, its records, and how many splits were read again."""
    size = os.path.getsize(path)
    splits = plan_splits([Source(path, size)], split_size)
    results: dict[int, tuple[list[Page | Region], SplitReader]] = {}
    again = 0

    def run(split: Split) -> None:
        reader = SplitReader(split)
        results[split.number] = (list(reader), reader)

    for split in splits:
        run(split)
    while wrong := check_chain([reader.summary for _, reader in results.values()]):
        again += len(wrong)
        assert again <= len(splits) + 1, "the chain does not settle"
        for split in wrong:
            run(split)
    records: Counter[str] = Counter()
    items: list[tuple[object, ...]] = []
    for number in sorted(results):
        items += [key(i) for i in results[number][0]]
        records += results[number][1].records
    return items, records, again


def one_split(path: str) -> tuple[list[tuple[object, ...]], Counter[str]]:
    pages_and_regions, records, _ = read_in_splits(path, max(os.path.getsize(path), 1))
    return pages_and_regions, records


def bomb(megabytes: int) -> bytes:
    raw = io.BytesIO()
    with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=9, mtime=0) as z:
        for _ in range(megabytes):
            z.write(b"<p>" + b"a" * (1 << 20))
    return raw.getvalue()


__all__ = [name for name in dir() if not name.startswith("_")] + ["replace"]
