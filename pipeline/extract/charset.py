"""Bytes of a page to text: which character set, and how many characters it could not decode.

The order is that of browsers (WHATWG Encoding and HTML standards): byte order mark, HTTP header, `<meta>`, detection.
Two exceptions, because crawled labels are often wrong. Bytes that are valid UTF-8 with several multi-byte sequences
are UTF-8 whatever the label says: the chance that legacy text passes falls by more than half with each sequence.
A label under which many bytes do not decode gives way to the next candidate.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import Final, NamedTuple

from resiliparse.parse.encoding import EncodingDetector, map_encoding_to_html5

PRESCAN_BYTES: Final = 1024  # WHATWG HTML, prescan a byte stream to determine its encoding
LONG_PRESCAN_BYTES: Final = 16_384  # browsers look on in the head when the first 1,024 bytes name no encoding
DETECT_BYTES: Final = 16_384  # bound of what the detector reads, from the first byte above 127
UTF8_SEQUENCES: Final = 3  # multi-byte sequences that overrule a label of a single-byte encoding
UTF8_SEQUENCES_CJK: Final = 8  # the same for a two-byte encoding, where short texts can pass by chance

# Python codec by WHATWG name, where Python's codec of that name decodes less than browsers do.
_WIDER: Final = {
    "gbk": ("gbk", "gb18030"),
    "gb2312": ("gbk", "gb18030"),
    "gb18030": ("gb18030", "gb18030"),
    "euc_kr": ("euc-kr", "cp949"),
    "shift_jis": ("shift_jis", "cp932"),
    "big5": ("big5", "big5hkscs"),
    "iso8859-11": ("windows-874", "cp874"),
    "iso8859-9": ("windows-1254", "cp1254"),
    "mac-roman": ("macintosh", "mac_roman"),
    "ascii": ("windows-1252", "cp1252"),
}
# Labels that resiliparse's table lacks, or that stand for something else on the web.
_LABELS: Final = {
    "x-user-defined": ("windows-1252", "cp1252"),
    "x-mac-cyrillic": ("x-mac-cyrillic", "mac_cyrillic"),
    "x-mac-ukrainian": ("x-mac-cyrillic", "mac_cyrillic"),
    "cp949": ("euc-kr", "cp949"),
    "mac-cyrillic": ("x-mac-cyrillic", "mac_cyrillic"),
    "hz-gb-2312": ("hz-gb-2312", "hz"),
    "iso-2022-kr": ("iso-2022-kr", "iso2022_kr"),
    "utf-16be": ("utf-16be", "utf-16-be"),
    "unicodefffe": ("utf-16be", "utf-16-be"),
}
# Not on the web's list, but uchardet knows them, and text files in them exist.
_OLD: Final = frozenset({"cp737", "cp852", "cp855", "cp862", "cp865", "mac-centraleurope", "johab"})
_CJK: Final = frozenset({"gbk", "gb18030", "big5", "euc-kr", "euc-jp", "shift_jis", "iso-2022-jp", "hz-gb-2312"})
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8", "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32le", "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32be", "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16le", "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16be", "utf-16-be"),
)
_COMMENT: Final = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_META: Final = re.compile(rb"<meta[\s/]([^>]{0,2000})", re.IGNORECASE)
_ATTRIBUTE: Final = re.compile(
    rb"""([a-z-]{1,30})\s{0,20}=\s{0,20}("[^"]{0,500}"|'[^']{0,500}'|[^\s"'>]{1,200})""", re.IGNORECASE
)
_CONTENT: Final = re.compile(rb"""charset\s{0,20}=\s{0,20}["']?\s{0,20}([^\s"';,]{1,40})""", re.IGNORECASE)
_XML: Final = re.compile(
    rb"""\s{0,64}<\?xml\s[^>]{0,200}?encoding\s{0,20}=\s{0,20}["']([^"']{1,40})["']""", re.IGNORECASE
)
_HIGH: Final = re.compile(rb"[\x80-\xff]")
_PLAUSIBLE: Final = re.compile(r"[\t\n\r -~\u00a0-\u052f\u2010-\u2027\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef]+")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Decoded(NamedTuple):
    """Text of a page; `source` is header, bom, meta, detected or default; `replaced` counts new U+FFFD."""

    text: str
    encoding: str
    source: str
    replaced: int


@lru_cache(maxsize=1024)
def resolve_label(label: str) -> tuple[str, str] | None:
    """WHATWG name and Python codec of a label; None where it is unknown."""
    label = label.strip(" \t\n\f\r\"'").lower()
    if not label or len(label) > 40 or not label.isascii():
        return None
    if label in _LABELS:
        return _LABELS[label]
    try:
        mapped = map_encoding_to_html5(label, fallback_utf8=False)
        if mapped is None:
            return None
        codec = codecs.lookup(mapped).name
    except (LookupError, ValueError):
        return None
    wider = _WIDER.get(mapped) or _WIDER.get(codec)
    if wider:
        return wider
    name = str(mapped).replace("_", "-")
    name = re.sub(r"^cp(125\d)$", r"windows-\1", name)
    name = re.sub(r"^cp866$", "ibm866", name)
    name = re.sub(r"^iso8859-", "iso-8859-", name)
    return name.replace("utf-16-", "utf-16").replace("iso2022-", "iso-2022-"), codec


def meta_label(body: bytes) -> str | None:
    """Encoding label of the XML declaration or of `<meta>` in the first bytes of a page."""
    declared: re.Match[bytes] | None = _XML.match(body)
    if declared:
        return str(declared[1], "latin-1")
    for size in (PRESCAN_BYTES, LONG_PRESCAN_BYTES):
        head = body[:size]
        if b"charset" in head or b"CHARSET" in head or b"Charset" in head:
            label = _meta_label(_COMMENT.sub(b"", head))
            if label:
                return label
        if len(body) <= size:
            break
    return None


def _meta_label(head: bytes) -> str | None:
    for tag in _META.finditer(head):
        attributes = {name.lower(): value.strip(b"\"' ") for name, value in _ATTRIBUTE.findall(tag[1])}
        if b"charset" in attributes:
            return str(attributes[b"charset"], "latin-1")
        if attributes.get(b"http-equiv", b"").lower() == b"content-type":
            found = _CONTENT.search(attributes.get(b"content", b""))
            if found:
                return str(found[1], "latin-1")
    return None


def _wide(body: bytes) -> tuple[str, str] | None:
    """UTF-16 or UTF-32 without a byte order mark, by the positions of NUL bytes in the first 1,024 bytes."""
    head = body[:1024]
    head = head[: len(head) // 4 * 4]
    if 0 not in head:
        return None
    quarter = len(head) / 4
    zeros = [head[i::4].count(0) / quarter for i in range(4)]
    if zeros[2] > 0.9 and zeros[3] > 0.9 and zeros[0] < 0.2:
        return "utf-32le", "utf-32-le"
    if zeros[0] > 0.9 and zeros[1] > 0.9 and zeros[3] < 0.2:
        return "utf-32be", "utf-32-be"
    even, odd = zeros[0] + zeros[2], zeros[1] + zeros[3]
    if odd > 1 and even < odd / 10:
        return "utf-16le", "utf-16-le"
    if even > 1 and odd < even / 10:
        return "utf-16be", "utf-16-be"
    return _wide_cjk(head)


def _wide_cjk(head: bytes) -> tuple[str, str] | None:
    """UTF-16 text with few NUL bytes, as in Chinese, where U+4E00 has one: nearly all characters are plausible."""
    for name, codec in (("utf-16le", "utf-16-le"), ("utf-16be", "utf-16-be")):
        text = head.decode(codec, "replace")
        if len(_PLAUSIBLE.sub("", text)) * 10 <= len(text):
            return name, codec
    return None


def detect(body: bytes) -> tuple[str, str] | None:
    """Name and codec that uchardet finds in a bounded part of the page; None where it does not know."""
    first = _HIGH.search(body)
    start = max(first.start() - 64, 0) if first else 0
    sample = body[start : start + DETECT_BYTES]
    try:
        detector = EncodingDetector()
        detector.update(sample)
        found = detector.encoding(html5_compatible=False)
    except Exception:  # a detector must not cost the page
        return None
    if not found or found.startswith(("utf-16", "utf-32")):  # those are told by their NUL bytes
        return None
    return resolve_label(found) or ((found, found) if found in _OLD else None)


def _clean(text: str, body: bytes) -> str:
    if 0 in body:
        text = text.replace("\x00", "")
    return text[1:] if text.startswith("\ufeff") else text


def _decode(body: bytes, name: str, codec: str) -> tuple[str, int]:
    """Text and the number of characters that were replaced; a sequence cut off at the end is not an error."""
    try:
        text, replaced = codecs.getincrementaldecoder(codec)("strict").decode(body, False), 0
    except (UnicodeError, ValueError):
        text = body.decode(codec, "replace")
        replaced = text.count("\ufffd")
        if codec == "utf-8":
            replaced -= body.count(b"\xef\xbf\xbd")
    return text, max(replaced, 0)


def decode(body: bytes, http_charset: str | None = None) -> Decoded:
    """Text of `body` without NUL and surrogates, the WHATWG name of its encoding, its source, and U+FFFD added."""
    for bom, name, codec in _BOMS:
        if body.startswith(bom):
            text, replaced = _decode(body[len(bom) :], name, codec)
            return Decoded(_clean(text, body), name, "bom", replaced)
    wide = _wide(body)
    if wide:
        text, replaced = _decode(body, *wide)
        if replaced * 20 <= len(text):
            return Decoded(_clean(text, body), wide[0], "detected", replaced)
    first = _label(http_charset, "header") or _label(meta_label(body), "meta")
    if body.isascii() and b"\x1b" not in body and b"~{" not in body:
        name, source = (first[0], first[2]) if first else ("utf-8", "default")
        return Decoded(_clean(body.decode("ascii"), body), name, source, 0)
    utf8 = _as_utf8(body, first)
    if utf8:
        return utf8
    return _best(body, [found for found in (first, _label(meta_label(body), "meta")) if found])


def _label(label: str | None, source: str) -> tuple[str, str, str] | None:
    """Name, codec and source of a declared label; UTF-16 without its NUL bytes can only be a wrong label."""
    resolved = resolve_label(label) if label else None
    if resolved is None:
        return None
    name, codec = ("utf-8", "utf-8") if resolved[0].startswith("utf-16") else resolved
    return name, codec, source


def _as_utf8(body: bytes, first: tuple[str, str, str] | None) -> Decoded | None:
    try:
        text, used = codecs.utf_8_decode(body, "strict", False)
    except UnicodeDecodeError:
        return None
    if len(body) - used > 3 or (b"\x1b" in body and first and first[0] == "iso-2022-jp"):
        return None
    if first is None or first[0] == "utf-8":
        return Decoded(_clean(text, body), "utf-8", first[2] if first else "detected", 0)
    continuation = used - len(text)
    if continuation < (UTF8_SEQUENCES_CJK if first[0] in _CJK else UTF8_SEQUENCES):
        return None
    return Decoded(_clean(text, body), "utf-8", "detected", 0)


def _best(body: bytes, candidates: list[tuple[str, str, str]]) -> Decoded:
    """First candidate that decodes nearly all bytes above 127, else the one that replaces fewest characters."""
    high = len(body) - len(body.translate(None, bytes(range(128, 256))))
    best: Decoded | None = None
    detected = detect(body)
    options = list(dict.fromkeys(candidates))
    if detected:
        options.append((*detected, "detected"))
    options.append(("windows-1252", "cp1252", "default"))
    for name, codec, source in options:
        text, replaced = _decode(body, name, codec)
        if best is None or replaced < best.replaced:
            best = Decoded(text, name, source, replaced)
        if replaced * 20 <= high:
            best = Decoded(text, name, source, replaced)
            break
    assert best is not None
    text = _SURROGATE.sub("\ufffd", best.text) if best.encoding.startswith("utf-") else best.text
    return Decoded(_clean(text, body), best.encoding, best.source, best.replaced)
