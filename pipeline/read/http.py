"""HTTP responses as archives hold them: status line, headers, transfer and content codings; tolerant and bounded."""

from __future__ import annotations

import re
import zlib
from typing import Any

from pipeline.read.gzip_members import Problem
from pipeline.read.warc import HTML_TYPES, media_type_of, text_of, unfold

Headers = list[tuple[str, str]]

_STATUS = re.compile(rb"(?i)(?:HTTP|ICY|[A-Z]{3,8}/\d+(?:\.\d+)?)[ \t]+(\d{3})(?!\d)")
_HEADER_END = re.compile(rb"\n\r{0,2}\n")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]{0,4096})?\r?\n")
_CHARSET = re.compile(r"(?i)charset\s*=\s*[\"']?\s*([^\s\"';,]+)")
# Tags that a page may begin with: WHATWG MIME Sniffing, section 7.1, and the XML declaration of XHTML.
_HTML_START = re.compile(
    rb"(?i)(?:<!doctype\s+html|<(?:html|head|body|script|iframe|h1|div|font|table|a|style|title|b|br|p|meta|link)[\s>/]"
    rb"|<\?xml[^>]{0,200}\?>\s*(?:<!doctype\s+html|<html))"
)
_SNIFFED = frozenset({"text/plain", "application/octet-stream", "unknown/unknown", "application/unknown", "*/*"})
_INPUT = 256  # bytes fed at a time to codecs without an output limit: one step then gives at most a few MiB


def parse_head(block: bytes, max_header_bytes: int) -> tuple[int | None, Headers, int, Problem | None]:
    """Status, headers and the offset of the body in an HTTP response block.

    A block without a status line that looks like HTML is a 200 without headers. Errors: `http_malformed`,
    `http_header_too_large` (over `max_header_bytes`).
    """
    match = _STATUS.match(block)
    if match is None:
        if looks_like_html(block[:2048]):
            return 200, [], 0, None
        return None, [], 0, ("http_malformed", "the record holds no HTTP status line")
    first = block.find(b"\n", 0, max_header_bytes)
    # A blank line right after the status line, or after the headers.
    end = _HEADER_END.search(block, max(first, 0), max_header_bytes + 4) if first >= 0 else None
    if end is None and len(block) > max_header_bytes:
        return int(match[1]), [], len(block), ("http_header_too_large", f"HTTP headers over {max_header_bytes} bytes")
    stop, body = (end.start(), end.end()) if end else (len(block), len(block))
    headers: Headers = []
    for line in unfold(block[first + 1 : stop]).split(b"\n") if 0 <= first < stop else ():
        raw_name, colon, raw_value = line.partition(b":")
        if colon and raw_name.strip():
            headers.append((text_of(raw_name.strip()) or "", text_of(raw_value.strip()) or ""))
    return int(match[1]), headers, body, None


def header(headers: Headers, name: str) -> str | None:
    """Value of the first header of that (lower-case) name."""
    for key, value in headers:
        if key.lower() == name:
            return value
    return None


def charset_of(content_type: str | None) -> str | None:
    """The charset parameter of a Content-Type, in lower case."""
    match = _CHARSET.search(content_type or "")
    return match[1].lower()[:64] if match else None


def looks_like_html(head: bytes) -> bool:
    """Whether bytes begin like an HTML page, after white space, a byte order mark and comments."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head[2:].replace(b"\0", b"")
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    while head.startswith(b"<!--"):
        end = head.find(b"-->")
        if end < 0:
            return True  # only markup begins with a comment
        head = head[end + 3 :].lstrip()
    return _HTML_START.match(head) is not None


def is_html(media_type: str | None, body_head: bytes) -> bool:
    """Whether a page is HTML: by its media type, or by its first bytes where the type is missing or says nothing."""
    if media_type in HTML_TYPES:
        return True
    if not media_type or media_type in _SNIFFED or "/" not in media_type:
        return looks_like_html(body_head[:2048])
    return False


def needs_body(media_type: str | None) -> bool:
    """Whether `is_html` may say yes for this media type, so that the body has to be looked at."""
    return not media_type or media_type in HTML_TYPES or media_type in _SNIFFED or "/" not in media_type


def remove_chunks(body: bytes) -> bytes:
    """Body without chunked transfer coding; what is not chunked (any more), or after a bad chunk, stays as it is."""
    parts: list[bytes] = []
    at = 0
    while match := _CHUNK_SIZE.match(body, at):
        start, size = match.end(), int(match[1], 16)
        end = start + size
        if size == 0:
            return b"".join(parts) if parts or at == 0 else body
        if end >= len(body):  # cut by the crawler's size limit: the part that is there counts
            is_chunk = bool(parts) or (size < 1 << 32 and body[start - 2 : start] == b"\r\n")
            return b"".join((*parts, body[start:])) if is_chunk else body
        if body[end : end + 2] != b"\r\n" and body[end : end + 1] != b"\n":
            if not parts:  # the first line only looked like a size
                return body
            break
        parts.append(body[start:end])
        at = end + (2 if body[end : end + 2] == b"\r\n" else 1)
    return b"".join((*parts, body[at:])) if parts else body


def decode_body(headers: Headers, body: bytes, max_body_bytes: int, max_encodings: int) -> bytes | Problem:
    """Body after transfer and content codings, at most `max_body_bytes` long after each layer.

    A coding that is claimed but not there is passed over, as Common Crawl decodes bodies and keeps some of the headers.
    Errors: `too_many_encodings`, `body_too_large`, `content_encoding_corrupt`, `content_encoding_unsupported`.
    """
    if any(k.lower() == "transfer-encoding" and "chunked" in v.lower() for k, v in headers):
        body = remove_chunks(body)
    claimed = ",".join(v for k, v in headers if k.lower() == "content-encoding").lower()
    layers = [t for t in (t.strip() for t in claimed.split(",")) if t not in ("", "identity", "none")]
    if len(layers) > max_encodings and body and not looks_like_html(body[:2048]):
        return "too_many_encodings", f"{len(layers)} content codings"
    for layer in reversed(layers[:max_encodings]):
        result = _decode_layer(layer, body, max_body_bytes)
        if isinstance(result, tuple):
            return result
        body = result
    if len(body) > max_body_bytes:
        return "body_too_large", f"the body is over {max_body_bytes} bytes"
    return body


def _decode_layer(name: str, body: bytes, limit: int) -> bytes | Problem:
    plain = not body or looks_like_html(body[:2048])
    if name in ("gzip", "x-gzip"):
        if body[:2] != b"\x1f\x8b":
            return body
        return _inflate(body, 31, limit)
    if name == "deflate":
        if plain:
            return body
        zlib_header = len(body) > 1 and body[0] & 15 == 8 and (body[0] << 8 | body[1]) % 31 == 0
        result = _inflate(body, 15 if zlib_header else -15, limit)
        # Raw deflate has no mark of its own: what does not inflate is text that was decoded before.
        return body if isinstance(result, tuple) and result[0] != "body_too_large" and not zlib_header else result
    if name == "zstd":
        if body[:4] != b"\x28\xb5\x2f\xfd":
            return body
        return _unzstd(body, limit)
    if plain:
        return body
    if name == "br":
        return _unbrotli(body, limit)
    if b"\0" in body[:4096]:
        return "content_encoding_unsupported", "content coding that is not known"
    return body  # names such as "utf-8" say nothing about the coding


def _inflate(body: bytes, wbits: int, limit: int) -> bytes | Problem:
    """Inflates one or more members; a body that is cut gives what is there."""
    parts: list[bytes] = []
    total, rest = 0, body
    while True:
        inflater = zlib.decompressobj(wbits)
        while not inflater.eof:
            try:
                out = inflater.decompress(rest, min(limit + 1 - total, 1 << 20))
            except zlib.error:
                return "content_encoding_corrupt", "the body's gzip or deflate coding is damaged"
            parts.append(out)
            total += len(out)
            if total > limit:
                return "body_too_large", f"the body is over {limit} bytes after a content coding"
            rest = inflater.unconsumed_tail
            if not out and not rest:
                break
        rest = inflater.unused_data if inflater.eof else b""
        if wbits != 31 or rest[:3] != b"\x1f\x8b\x08":  # no further member: the end, or padding
            return b"".join(parts)


def _unzstd(body: bytes, limit: int) -> bytes | Problem:
    import zstandard

    decoder = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
    return _feed(decoder.decompress, zstandard.ZstdError, body, limit, lambda: bool(decoder.eof))


def _unbrotli(body: bytes, limit: int) -> bytes | Problem:
    try:
        import brotli  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        return "content_encoding_unsupported", "content coding br: the package brotli is not installed"
    decoder = brotli.Decompressor()
    if not hasattr(decoder, "can_accept_more_data"):  # before 1.2: a byte may give a block of 16 MiB
        return _feed(decoder.process, brotli.error, body, limit, decoder.is_finished, piece=4)

    def step(data: bytes) -> bytes:
        out = [decoder.process(data, output_buffer_limit=1 << 20)]
        while not decoder.can_accept_more_data() and sum(map(len, out)) <= limit:
            out.append(decoder.process(b"", output_buffer_limit=1 << 20))
        return b"".join(out)

    return _feed(step, brotli.error, body, limit, decoder.is_finished)


def _feed(
    step: Any, error: type[Exception], body: bytes, limit: int, finished: Any, piece: int = _INPUT
) -> bytes | Problem:
    """Feeds a codec without an output limit in small pieces, so that one step cannot outgrow memory."""
    parts: list[bytes] = []
    total = 0
    for at in range(0, len(body), piece):
        try:
            out = step(body[at : at + piece])
        except error:
            return "content_encoding_corrupt", "the body's content coding is damaged"
        parts.append(out)
        total += len(out)
        if total > limit:
            return "body_too_large", f"the body is over {limit} bytes after a content coding"
        if finished():
            break
    return b"".join(parts)


def media_type(headers: Headers) -> str | None:
    """Media type of a response, in lower case without parameters."""
    return media_type_of(header(headers, "content-type"))
