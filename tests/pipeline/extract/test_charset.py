"""Decoding: order of the sources, wrong labels, and text that is always valid."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extract.charset import decode, meta_label, resolve_label

RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. " * 8
FRENCH = "Dès Noël où un zéphyr haï me vêt de glaçons würmiens, je dîne d'exquis rôtis. " * 8
JAPANESE = "色は匂へど散りぬるを、我が世誰ぞ常ならむ。有為の奥山今日越えて、浅き夢見し酔ひもせず。" * 8


def _meta(label: str) -> str:
    return f'<html><head><meta charset="{label}"></head><body>'


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("ISO-8859-1", "windows-1252"),
        ("latin1", "windows-1252"),
        ("us-ascii", "windows-1252"),
        ("gb2312", "gbk"),
        ("GB18030", "gb18030"),
        ("shift_jis", "shift_jis"),
        ("x-sjis", "shift_jis"),
        ("ks_c_5601-1987", "euc-kr"),
        ("big5-hkscs", "big5"),
        ("iso-8859-9", "windows-1254"),
        ("tis-620", "windows-874"),
        ("x-user-defined", "windows-1252"),
        (" UTF8 ", "utf-8"),
        ("koi8-r", "koi8-r"),
        ("x-mac-cyrillic", "x-mac-cyrillic"),
        ("iso-8859-2", "iso-8859-2"),
        ("windows-1251", "windows-1251"),
    ],
)
def test_labels_are_the_webs(label: str, name: str) -> None:
    resolved = resolve_label(label)
    assert resolved is not None
    assert resolved[0] == name


@pytest.mark.parametrize("label", ["", "foo", "none", "x" * 500, "utf-7", "base64", "rot13", "Ünicode", "idna", "\x00"])
def test_unknown_labels_are_ignored(label: str) -> None:
    assert resolve_label(label) is None
    assert decode(b"abc", label)[:3] == ("abc", "utf-8", "default")


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_beats_every_label(codec: str) -> None:
    got = decode((_meta("koi8-r") + RUSSIAN).encode(codec), "windows-1251")
    assert got.source == "bom"
    assert got.text == _meta("koi8-r") + RUSSIAN


def test_the_header_beats_meta() -> None:
    got = decode((_meta("koi8-r") + RUSSIAN).encode("cp1251"), "windows-1251")
    assert (got.encoding, got.source, got.replaced) == ("windows-1251", "header", 0)
    assert RUSSIAN in got.text


def test_meta_is_read_without_a_header() -> None:
    got = decode((_meta("windows-1251") + RUSSIAN).encode("cp1251"))
    assert (got.encoding, got.source) == ("windows-1251", "meta")


def test_an_unknown_header_leaves_meta() -> None:
    assert decode((_meta("windows-1251") + RUSSIAN).encode("cp1251"), "bogus").source == "meta"


def test_valid_utf8_beats_a_wrong_label() -> None:
    got = decode((_meta("iso-8859-1") + FRENCH).encode(), "iso-8859-1")
    assert (got.encoding, got.source) == ("utf-8", "detected")
    assert FRENCH in got.text


def test_one_short_sequence_does_not_overrule_a_label() -> None:
    assert decode("é".encode() + b" abc", "windows-1252").text == "Ã© abc"


def test_a_page_that_says_utf8_and_is_not() -> None:
    got = decode((_meta("utf-8") + FRENCH).encode("cp1252"), "utf-8")
    assert FRENCH in got.text
    assert got.source in {"detected", "default"}


def test_detection_without_any_label() -> None:
    for text, codec in ((RUSSIAN, "cp1251"), (RUSSIAN, "koi8-r"), (JAPANESE, "cp932"), (JAPANESE, "euc-jp")):
        assert decode(text.encode(codec)).text == text


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_that_says_utf8(codec: str) -> None:
    page = _meta("utf-8") + "<p>The river was surveyed.</p>" * 20
    got = decode(page.encode(codec), "utf-8")
    assert got.text == page
    assert got.encoding == codec.replace("-le", "le").replace("-be", "be")


def test_a_sequence_cut_off_at_the_end_is_no_error() -> None:
    got = decode(("é" * 100).encode()[:-1], "utf-8")
    assert (got.text, got.replaced) == ("é" * 99, 0)


def test_replaced_counts_only_new_replacements() -> None:
    body = ("é" * 50 + "\ufffd").encode() + b"\xff" + "é".encode()
    got = decode(body, "utf-8")
    assert got.encoding == "utf-8"
    assert got.replaced == 1


def test_prescan_reads_declarations_only() -> None:
    assert meta_label(b"<!-- <meta charset=koi8-r> --><meta charset='gbk'>") == "gbk"
    assert meta_label(b'<meta name="x" content="charset=gbk">') is None
    assert meta_label(b'<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=big5">') == "big5"
    assert meta_label(b'<?xml version="1.0" encoding="euc-jp"?><html>') == "euc-jp"
    assert meta_label(b" " * 3000 + b"<meta charset=gbk>") == "gbk"
    assert meta_label(b" " * 30_000 + b"<meta charset=gbk>") is None


def test_utf16_in_meta_is_a_wrong_label() -> None:
    assert decode((_meta("utf-16") + "é").encode()).encoding == "utf-8"


def test_empty() -> None:
    assert decode(b"", None) == ("", "utf-8", "default", 0)


LABELS = st.sampled_from(
    [None, "utf-8", "gb18030", "shift_jis", "euc-kr", "big5", "iso-2022-jp", "utf-16le", "hz-gb-2312", "koi8-r", "x"]
)


@given(st.binary(max_size=400) | st.text(max_size=100).map(lambda t: t.encode("utf-8", "surrogatepass")), LABELS)
def test_any_bytes_give_valid_text(body: bytes, label: str | None) -> None:
    got = decode(body, label)
    assert "\x00" not in got.text
    got.text.encode()
    assert got.replaced >= 0
    assert got == decode(body, label)
