"""A page made to break a parser costs that page only, in bounded memory, through the whole command."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.full
HEADWATER = [sys.executable, "-c", "from pipeline.cli import main; main()"]


def good(number: int) -> bytes:
    lines = (
        f"<p>On day {n * number} of the survey the crew of boat {number} measured the bank at mark {n}.</p>"
        for n in range(9)
    )
    return f"<html lang=en><title>Boat {number}</title><body><main>{''.join(lines)}</main></body></html>".encode()


def record(number: int, body: bytes, encoding: str = "") -> bytes:
    http = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n{encoding}\r\n".encode() + body
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-{number:012d}>\r\n"
        f"WARC-Date: 2024-05-01T00:00:00Z\r\nWARC-Target-URI: https://host{number}.example/\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
    )
    return gzip.compress(head.encode() + http + b"\r\n\r\n", 6, mtime=0)


def bomb() -> bytes:
    raw = io.BytesIO()
    with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as sink:
        for _ in range(300):
            sink.write(b"<p>" + b"a" * (1 << 20))
    return raw.getvalue()


CASES = {
    "bomb": lambda: record(666, bomb(), "Content-Encoding: gzip\r\n"),
    "nested": lambda: record(666, b"<div>" * 200_000 + b"text"),
    "attributes": lambda: record(666, b"<div " + b" ".join(b"a%d=1" % n for n in range(200_000)) + b">text</div>"),
    "links": lambda: record(666, b"<body>" + b"<a href=/x>y</a>" * 1_000_000),
}


# Depth and attributes cost the default extractor nothing: such a page is no failure, whatever becomes of it then.
LINEAR = {"nested", "attributes"}


@pytest.mark.parametrize(
    ("case", "extractor"), [*((case, "blocks") for case in CASES), *((case, "resiliparse") for case in sorted(LINEAR))]
)
def test_only_the_bad_page_is_lost(tmp_path: Path, case: str, extractor: str) -> None:
    archive = tmp_path / "hostile.warc.gz"
    archive.write_bytes(b"".join(record(n, good(n)) for n in (1, 2, 3)) + CASES[case]() + record(4, good(4)))
    (tmp_path / "c.yaml").write_text(f"extract: {{extractor: {extractor}}}")
    options = ["--config", str(tmp_path / "c.yaml"), "--output", str(tmp_path / "run"), "--quiet"]
    done = subprocess.Popen([*HEADWATER, "curate", str(archive), *options])
    _, status, usage = os.wait4(done.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert usage.ru_maxrss < 1_000_000, "kilobytes of the largest process"
    counts = json.loads((tmp_path / "run" / "run.json").read_text())["counts"]
    assert counts["pages"] == 5
    assert counts["pages"] == counts["kept"] + sum(counts["dropped"].values()) + sum(counts["failed"].values())
    if extractor == "blocks" and case in LINEAR:
        assert not counts["failed"]
        return
    assert sum(counts["failed"].values()) == 1
    failed = pq.read_table(tmp_path / "run" / "failures").to_pylist()
    assert [row["url"] for row in failed] == ["https://host666.example/"]
    assert failed[0]["code"] in {"body_too_large", "too_deep", "too_many_attributes", "too_many_nodes"}
