"""Inputs: files, folders, globs, HTTP with byte ranges, S3, crawl listings."""

from __future__ import annotations

import gzip
import http.server
import os
import re
import sys
import threading
from collections import Counter

import pytest
from read_samples import html_record, members, small_records, write

from pipeline.read import storage
from pipeline.read.records import Page, Source
from pipeline.read.sources import list_sources, plan_splits
from pipeline.read.splits import SplitReader, check_chain
from pipeline.read.storage import InputError, RemoteFile

DATA = members(small_records(5))


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.files`; honours Range unless told otherwise; fails the first `server.failures` GETs."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)

    def answer(self, with_body):
        server = self.server
        body = server.files.get(self.path.lstrip("/"))
        status, headers = 200, {"Accept-Ranges": "bytes"} if server.ranges else {}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if body is None:
            status, body = server.missing, b"not here"
        elif with_body and server.failures > 0:
            server.failures -= 1
            status, body = server.failure_status, b"busy"
        elif wanted and server.ranges and with_body:
            first, last = int(wanted[1]), min(int(wanted[2]), len(body) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
            status, body = 206, body[first : last + 1]
            server.requests.append((self.path, first, last))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(storage, "_FIRST_DELAY", 0.01)
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.files, httpd.ranges, httpd.failures, httpd.failure_status, httpd.missing, httpd.requests = (
        {},
        True,
        0,
        503,
        404,
        [],
    )
    httpd.handle_error = lambda *args: None  # clients that go away are part of the tests
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    httpd.url = f"http://127.0.0.1:{httpd.server_address[1]}/"
    yield httpd
    httpd.shutdown()
    httpd.server_close()


def read_all(sources, split_size):
    readers = [SplitReader(s) for s in plan_splits(sources, split_size)]
    pages = [item for r in readers for item in r]
    assert check_chain([r.summary for r in readers]) == []
    return pages


def test_folders_globs_and_files(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("b.warc.gz", "a.arc.gz", "deep/er/c.warc.zst", "deep/d.parquet", "deep/notes.txt", "deep/e.jsonl.xz"):
        (tmp_path / name).write_bytes(b"x")
    names = ["a.arc.gz", "b.warc.gz", "deep/d.parquet", "deep/e.jsonl.xz", "deep/er/c.warc.zst"]
    wanted = [Source(str(tmp_path / n), 1) for n in names]
    assert list_sources([str(tmp_path)]) == wanted
    inputs = [
        str(tmp_path / "*.gz"),
        str(tmp_path / "deep"),
        str(tmp_path / "b.warc.gz"),
        str(tmp_path) + "/./b.warc.gz",
    ]
    assert [os.path.basename(s.path) for s in list_sources(inputs)] == [os.path.basename(n) for n in names]
    assert list_sources(inputs) == list_sources(inputs[::-1])
    assert list_sources([str(tmp_path / "**")]) == list_sources([str(tmp_path / "**" / "*")])
    assert list_sources([str(tmp_path / "deep" / "notes.txt")])[0].size_bytes == 1
    assert list_sources([f"file://{tmp_path}/b.warc.gz"]) == wanted[1:2]


def test_same_file_by_two_names(tmp_path):
    path = write(tmp_path, b"x", "a.warc")
    os.symlink(path, tmp_path / "z.warc")
    assert [s.path for s in list_sources([str(tmp_path)])] == [path]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.warc", "no such file"),
        ("*.warc", "no file matches"),
        ("", "no archive or table in this folder"),
        ("fifo", "no regular file"),
    ],
)
def test_inputs_that_are_not_there(tmp_path, name, message):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InputError, match=message):
        list_sources([str(tmp_path / name)])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_not_permitted(tmp_path):
    path = write(tmp_path, b"x", "a.warc")
    os.chmod(path, 0)
    with pytest.raises(InputError, match="not permitted"):
        list_sources([path])


def test_not_permitted_without_rights(tmp_path, monkeypatch):
    path = write(tmp_path, b"x", "a.warc")
    monkeypatch.setattr(os, "access", lambda *a: False)
    for name in (path, str(tmp_path), str(tmp_path / "*")):
        with pytest.raises(InputError, match="not permitted"):
            list_sources([name])


def test_missing_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(InputError, match=re.escape("pip install 'headwater[s3]'")):
        list_sources(["s3://bucket/x.warc.gz"])
    with pytest.raises(InputError, match="unknown scheme"):
        list_sources(["nonsense://bucket/x.warc.gz"])


def test_plan_is_numbered_by_path_and_start():
    splits = plan_splits([Source("b", 25), Source("a", 10), Source("c", 0)], 10)
    assert [(s.number, s.source_file, s.start, s.end) for s in splits] == [
        (0, "a", 0, 10), (1, "b", 0, 10), (2, "b", 10, 20), (3, "b", 20, 25), (4, "c", 0, 1),
    ]  # fmt: skip


def test_http_by_ranges(server):
    server.files["x.warc.gz"] = DATA
    (source,) = list_sources([server.url + "x.warc.gz"])
    assert source.size_bytes == len(DATA)
    pages = read_all([source], 600)
    assert [p.url for p in pages] == [f"https://host{i}.example/" for i in range(5)]
    assert {p.source_file for p in pages} == {server.url + "x.warc.gz"}
    assert server.requests


def test_http_range_table_reads_no_more_than_named(server):
    records = [html_record(i, 3000) for i in range(3)]
    lengths = [len(gzip.compress(r, mtime=0)) for r in records]
    server.files["x.warc.gz"] = members(records)
    source = Source(server.url + "x.warc.gz", sum(lengths), ((lengths[0], lengths[1]),))
    (page,) = read_all([source], 1 << 20)
    assert page.url == "https://host1.example/"
    assert {(first, last) for _, first, last in server.requests} == {(lengths[0], lengths[0] + lengths[1] - 1)}


def test_http_server_that_ignores_ranges(server):
    server.files["x.warc.gz"] = DATA * 4000
    server.ranges = False
    (source,) = list_sources([server.url + "x.warc.gz"])
    with pytest.raises(InputError, match="ignores byte ranges; download"):
        list(SplitReader(plan_splits([source], 1 << 20)[1]))


def test_http_errors(server):
    with pytest.raises(InputError, match="no such file"):
        list_sources([server.url + "none.warc.gz"])
    server.missing = 403
    with pytest.raises(InputError, match="not permitted"):
        list_sources([server.url + "none.warc.gz"])
    with pytest.raises(InputError, match="cannot be read"):
        list_sources(["http://127.0.0.1:1/none.warc.gz"])


@pytest.mark.parametrize("status", [429, 500, 503])
def test_retries(server, status):
    server.files["x.warc.gz"] = DATA
    server.failures, server.failure_status = 3, status
    assert RemoteFile(server.url + "x.warc.gz", len(DATA)).read_at(5, 50) == DATA[5:55]
    server.failures = 99
    with pytest.raises(InputError, match="cannot be read"):
        RemoteFile(server.url + "x.warc.gz", len(DATA)).read_at(5, 50)
    assert server.failures == 99 - storage.ATTEMPTS


def test_crawl(server, monkeypatch):
    names = [f"crawl-data/CC-MAIN-2024-10/segments/1/warc/{n}.warc.gz" for n in range(5)]
    server.files["crawl-data/CC-MAIN-2024-10/warc.paths.gz"] = gzip.compress("\n".join(names).encode())
    server.files["crawl-data/CC-MAIN-2024-10/wet.paths.gz"] = gzip.compress(names[0].encode())
    server.files.update(dict.fromkeys(names, DATA))
    monkeypatch.setenv("HEADWATER_CRAWL_ROOT", server.url)
    assert [s.path for s in list_sources(["cc:CC-MAIN-2024-10?warcs=1:3"])] == [server.url + n for n in names[1:3]]
    assert len(list_sources(["cc:CC-MAIN-2024-10"])) == 5
    assert len(list_sources(["cc:CC-MAIN-2024-10?wets=0:10"])) == 1
    assert len(list_sources(["cc:CC-MAIN-2024-10?warcs=3:"], crawl_root=server.url)) == 2
    pages = read_all(list_sources(["cc:CC-MAIN-2024-10?warcs=0:1"]), 1 << 20)
    assert len(pages) == 5
    for bad, message in [("cc:CC-MAIN-2024-10?x=1", "write cc:"), ("cc:../x", "write cc:"),
                         ("cc:CC-MAIN-1999-01", "no such file"),
                         ("cc:CC-MAIN-2024-10?warcs=7:9", "lists 5 files")]:  # fmt: skip
        with pytest.raises(InputError, match=message):
            list_sources([bad])


def test_table_names_resolve_under_the_root(server, tmp_path):
    name = "crawl-data/CC-MAIN-2024-10/segments/1/warc/0.warc.gz"
    server.files[name] = members([html_record(0), html_record(1)])
    length = len(members([html_record(0)]))
    (tmp_path / "t.csv").write_text(f"warc_filename,warc_record_offset,warc_record_length\n{name},0,{length}\n")
    sources = list_sources([str(tmp_path / "t.csv")], table_root=server.url)
    assert [s.path for s in sources] == [server.url + name]
    assert [p.url for p in read_all(sources, 1 << 20)] == ["https://host0.example/"]


@pytest.fixture
def bucket(monkeypatch):
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
    moto_server = pytest.importorskip("moto.server", reason="moto[server] is not installed")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    running = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    url = f"http://{host}:{port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
    client = boto3.client("s3", endpoint_url=url)
    client.create_bucket(Bucket="archive")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    yield client
    s3fs.S3FileSystem.clear_instance_cache()
    running.stop()


def test_s3(bucket):
    for name in ("a/x.warc.gz", "a/b/y.warc.gz", "a/notes.txt"):
        bucket.put_object(Bucket="archive", Key=name, Body=DATA)
    wanted = ["s3://archive/a/b/y.warc.gz", "s3://archive/a/x.warc.gz"]
    assert [s.path for s in list_sources(["s3://archive/a/"])] == wanted
    assert [s.path for s in list_sources(["s3://archive/a"])] == wanted
    assert [s.path for s in list_sources(["s3://archive/a/*.gz", "s3://archive/a/b/y.warc.gz"])] == wanted
    sources = list_sources(["s3://archive/a/x.warc.gz"])
    assert sources == [Source(wanted[1], len(DATA))]
    pages = read_all(sources, 700)
    assert all(isinstance(p, Page) for p in pages)
    assert Counter(p.url for p in pages) == Counter(f"https://host{i}.example/" for i in range(5))
    for bad, message in [("s3://archive/none.warc.gz", "no such file"), ("s3://archive/none*", "no file matches"),
                         ("s3://nobucket/x.warc.gz", "no such file")]:  # fmt: skip
        with pytest.raises(InputError, match=message):
            list_sources([bad])


@pytest.mark.skipif(sys.platform != "linux", reason="file systems that hold any bytes")
def test_names_that_are_no_utf8(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    name = os.fsdecode(os.fsencode(folder) + b"/\xff\xe9.warc.gz")
    with open(name, "wb") as f:
        f.write(DATA)
    for given in (name, f"file://{name}", str(folder), str(folder / "*"), str(tmp_path / "**"), str(tmp_path)):
        with pytest.raises(InputError, match=r"in/\\xff\\xe9\.warc\.gz: .*rename it") as caught:
            list_sources([given])
        str(caught.value).encode()
    os.rename(name, name + ".txt")  # not read from a folder
    (folder / "a.warc.gz").write_bytes(DATA)
    assert len(list_sources([str(folder)])) == 1
    with pytest.raises(InputError, match="rename it"):
        list_sources(["\ud800.warc.gz"])


@pytest.mark.parametrize(
    "name",
    ["x.jsonl", "X.JSONL.GZ", "x.json.xz", "x.ndjson", "x.ndjson.zst", "x.jsonl.zst", "https://h.example/x.jsonl?a=b"],
)
def test_json_lines_are_one_split(name):
    (split,) = plan_splits([Source(name, 5 << 30)], 1)
    assert (split.start, split.end, split.source_bytes) == (0, 5 << 30, 5 << 30)
    assert len(plan_splits([Source("x.parquet", 100)], 10)) == 10


@pytest.mark.parametrize("data", [DATA, gzip.decompress(DATA)])
def test_an_archive_named_as_json_lines_is_read_once(tmp_path, data):
    sources = list_sources([write(tmp_path, data, "x.jsonl.gz")])
    assert [p.url for p in read_all(sources, 100)] == [f"https://host{i}.example/" for i in range(5)]


def test_too_many_splits():
    assert len(plan_splits([Source("x.warc.gz", 10_000)], 1)) == 10_000
    with pytest.raises(InputError, match=r"x\.warc\.gz: .*larger split size, at least 10,738 bytes"):
        plan_splits([Source("x.warc.gz", 1 << 30)], 1)
    assert len(plan_splits([Source("x.warc.gz", 1 << 30)], 10_738)) <= 100_000
