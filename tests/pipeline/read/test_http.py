"""HTTP parsing and decoding: tolerant, layered, bounded."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from read_samples import bomb, http, members, read, warc_record, write

from pipeline.read.http import charset_of, decode_body, is_html, looks_like_html, parse_head, remove_chunks
from pipeline.read.warc import media_type_of

PAGE = b"<html><body>" + b"some words of a page. " * 50 + b"</body></html>"
LIMIT = 1 << 20


def decode(encoding, body, more=()):
    return decode_body([("Content-Encoding", encoding), *more], body, LIMIT, 3)


@pytest.mark.parametrize(
    ("block", "status", "headers", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nA: b\r\nC:d\r\n\r\nbody", 200, [("A", "b"), ("C", "d")], b"body"),
        (b"HTTP/1.0 404\nA: b\n\nbody", 404, [("A", "b")], b"body"),
        (b"HTTP/2 200\r\n\r\nbody", 200, [], b"body"),
        (b"ICY 200 OK\r\na: b\r\n c\r\n\r\n", 200, [("a", "b c")], b""),
        (b"HTTP/1.1 302 \r\r\nLocation: x\r\r\n\r\r\nbody", 302, [("Location", "x")], b"body"),
        (b"HTTP/1.1 200 OK\r\nX: \xe4\r\nno colon\r\n\r\n", 200, [("X", "\xe4")], b""),
        (b"HTTP/1.1 200 OK\r\nX: y", 200, [("X", "y")], b""),
        (b"  <!DOCTYPE html><p>", 200, [], b"  <!DOCTYPE html><p>"),
    ],
)
def test_parse_head(block, status, headers, body):
    got_status, got_headers, start, problem = parse_head(block, 1 << 16)
    assert (got_status, got_headers, block[start:], problem) == (status, headers, body, None)


@pytest.mark.parametrize("block", [b"", b"plain words", b"HTTP/1.1 abc\r\n\r\n", b"\x89PNG"])
def test_malformed_head(block):
    status, _, _, problem = parse_head(block, 1 << 16)
    assert status is None
    assert problem
    assert problem[0] == "http_malformed"


def test_chunked():
    assert remove_chunks(b"4\r\nWiki\r\n5;x=1\r\npedia\r\n0\r\nTrailer: 1\r\n\r\n") == b"Wikipedia"
    assert remove_chunks(b"4\nWiki\n0\n\n") == b"Wiki"
    assert remove_chunks(PAGE) == PAGE  # the crawler removed the chunks and kept the header
    assert remove_chunks(b"abc\nthis only looks like a chunk size") == b"abc\nthis only looks like a chunk size"
    assert remove_chunks(b"4\r\nWiki\r\nzz\r\npedia") == b"Wikizz\r\npedia"
    assert remove_chunks(b"4\r\nWiki\r\nff\r\ncut here") == b"Wikicut here"
    assert remove_chunks(b"0\r\n\r\n") == b""
    assert remove_chunks(b"") == b""


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8))
def test_chunked_round_trip(chunks):
    coded = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"
    assert remove_chunks(coded) == b"".join(chunks)


def test_codings():
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    assert decode("gzip", gzip.compress(PAGE)) == PAGE
    assert decode("x-gzip", gzip.compress(PAGE[:9]) + gzip.compress(PAGE[9:])) == PAGE
    assert decode("deflate", zlib.compress(PAGE)) == PAGE
    assert decode("deflate", raw.compress(PAGE) + raw.flush()) == PAGE
    assert decode("br", brotli.compress(PAGE)) == PAGE
    assert decode("zstd", zstandard.compress(PAGE)) == PAGE
    assert decode("gzip, br", brotli.compress(gzip.compress(PAGE))) == PAGE
    assert decode("GZIP", b"3\r\n" + gzip.compress(PAGE)[:3] + b"\r\n" + b"%x\r\n" % (len(gzip.compress(PAGE)) - 3)
                  + gzip.compress(PAGE)[3:] + b"\r\n0\r\n\r\n", [("Transfer-Encoding", "chunked")]) == PAGE  # fmt: skip


@pytest.mark.parametrize(
    "encoding", ["gzip", "deflate", "br", "zstd", "utf-8", "identity", "gzip, gzip, gzip, gzip", ""]
)
def test_claimed_but_plain(encoding):
    assert decode(encoding, PAGE) == PAGE
    assert decode(encoding, b"") == b""


def test_damaged_and_cut_codings():
    coded = gzip.compress(PAGE + bytes(range(256)) * 20)
    assert decode("gzip", coded[:-30]).startswith(b"<html>")  # cut by the crawler: what is there counts
    broken = bytearray(coded)
    broken[12] ^= 0xFF
    assert decode("gzip", bytes(broken))[0] == "content_encoding_corrupt"
    assert decode("br", b"\x00\xff\xfe not brotli \x00\x01")[0] == "content_encoding_corrupt"
    assert decode("sdch", b"\x00\x01\x02")[0] == "content_encoding_unsupported"
    assert decode("gzip, gzip, gzip, gzip", gzip.compress(b"x"))[0] == "too_many_encodings"


def test_brotli_absent(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "brotli", None)
    assert decode("br", b"\x8b\x02\x80abc\x03")[0] == "content_encoding_unsupported"
    assert decode("br", PAGE) == PAGE


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_bombs_are_bounded(name, layers):
    packs = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstandard.compress}
    pack = packs.get(name, lambda b: brotli.compress(b, quality=5))
    data = bytes(100 << 20)
    for _ in range(layers):
        data = pack(data)
    tracemalloc.start()
    began = time.process_time()
    result = decode(",".join([name] * layers), data)
    assert time.process_time() - began < 2
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result[0] == "body_too_large"
    assert peak < 40 << 20


def test_bomb_in_an_archive(tmp_path):
    record = warc_record(http(bomb(40), b"Content-Type: text/html\r\nContent-Encoding: gzip\r\n"), 1)
    pages, _, _ = read(write(tmp_path, members([record])))
    assert [p.error[0] for p in pages] == ["body_too_large"]
    assert len(pages[0].payload_digest) == 16


def test_html_by_type_or_by_look():
    assert is_html("text/html", b"")
    assert is_html("application/xhtml+xml", b"\x89PNG")
    assert not is_html("image/png", PAGE)
    assert not is_html("application/json", b"{}")
    for unknown in (None, "", "text/plain", "application/octet-stream", "unknown", "*/*"):
        assert is_html(unknown, b"\xef\xbb\xbf \n<!-- x --> <HTML lang=en>")
        assert not is_html(unknown, b"just words")
        assert not is_html(unknown, b"%PDF-1.4")
    assert looks_like_html("<html>".encode("utf-16"))


def test_parameters():
    assert media_type_of("Text/HTML; charset=x") == "text/html"
    assert media_type_of("text/html charset=utf-8") == "text/html"
    assert media_type_of(" ; ") is None
    assert charset_of('text/html; CharSet="UTF-8"') == "utf-8"
    assert charset_of("text/html; charset = ISO-8859-1 ;x") == "iso-8859-1"
    assert charset_of(None) is None


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate", "br", "zstd", "x"]))
def test_noise_never_raises(body, encoding):
    result = decode(encoding, body, [("Transfer-Encoding", "chunked")])
    assert isinstance(result, bytes | tuple)
    parse_head(body, 100)
    parse_head(b"HTTP/1.1 200 OK\n" + body, 100)
