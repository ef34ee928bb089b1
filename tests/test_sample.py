"""The sample archive: its generator writes the committed bytes, and what it says of them is so."""

from __future__ import annotations

import gzip
import importlib.util
import ipaddress
import re
import sys
import zlib
from collections import Counter
from io import BytesIO
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from warcio.archiveiterator import ArchiveIterator

ROOT = Path(__file__).resolve().parent.parent
ARCHIVE = ROOT / "pipeline" / "data" / "sample.warc.gz"
README = ROOT / "pipeline" / "data" / "sample.README.md"


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_sample", ROOT / "examples" / "make_sample.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_sample"] = module
    spec.loader.exec_module(module)
    return module


sample = _generator()
KINDS = Counter(sample.PLANTED.values())
BROKEN = next(url for url, kind in sample.PLANTED.items() if kind == "broken_record")
REPEATS = ("exact_duplicate", "near_duplicate")


def _split(data: bytes) -> list[tuple[bytes, bytes | None]]:
    """(member, its content) for each gzip member; None where the member cannot be unpacked."""
    starts = [m.start() for m in re.finditer(re.escape(b"\x1f\x8b\x08\x00\0\0\0\0\x02\x03"), data)]
    found: list[tuple[bytes, bytes | None]] = []
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        try:
            found.append((data[start:end], gzip.decompress(data[start:end])))
        except (zlib.error, EOFError, OSError):
            found.append((data[start:end], None))
    return found


class Record:
    """A record as warcio reads it, with its content read."""

    def __init__(self, record: Any) -> None:
        self.type: str = record.rec_type
        self.headers: dict[str, str] = dict(record.rec_headers.headers)
        self.url = self.headers.get("WARC-Target-URI", "")
        self.status: str | None = record.http_headers.get_statuscode() if record.http_headers else None
        self.http: dict[str, str] = (
            {k.lower(): v for k, v in record.http_headers.headers} if record.http_headers else {}
        )
        self.body: bytes = record.content_stream().read()


@pytest.fixture(scope="module")
def data() -> bytes:
    return ARCHIVE.read_bytes()


@pytest.fixture(scope="module")
def records(data: bytes) -> list[Record]:
    sound = b"".join(member for member, content in _split(data) if content is not None)
    return [Record(record) for record in ArchiveIterator(BytesIO(sound), check_digests="raise")]


@pytest.fixture(scope="module")
def responses(records: list[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        if record.type in ("response", "revisit"):
            found.setdefault(record.url, []).append(record)
    return found


def shingles(text: str, n: int = 5) -> set[tuple[str, ...]]:
    """Word n-grams; Chinese and Japanese characters count as words."""
    words = re.findall(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+", text.lower())
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def jaccard(a: set[tuple[str, ...]], b: set[tuple[str, ...]]) -> float:
    return len(a & b) / len(a | b) if a or b else 0.0


def test_generator_writes_the_committed_archive(data: bytes) -> None:
    built = sample.build()
    assert built == sample.build()
    if built != data:
        # Another build of zlib may pack the same records into other bytes; the damaged one is then not comparable.
        for (_, ours), (_, theirs) in zip(_split(built), _split(data), strict=True):
            assert ours == theirs
        pytest.skip(f"same records, packed differently by zlib {zlib.ZLIB_RUNTIME_VERSION}")


def test_size_and_one_record_per_member(data: bytes) -> None:
    assert len(data) < 400_000
    for _, content in _split(data):
        assert content is None or (content.startswith(b"WARC/1.0\r\n") and content.endswith(b"\r\n\r\n"))


def test_one_response_is_broken_near_the_end_and_sound_records_follow(data: bytes, records: list[Record]) -> None:
    contents = [content for _, content in _split(data)]
    assert contents.count(None) == 1
    at = contents.index(None)
    assert at > 0.9 * len(contents)
    before, after = contents[at - 1], contents[at + 1]
    assert before is not None
    assert after is not None
    assert BROKEN.encode() in before
    assert b"WARC-Type: request" in before
    assert BROKEN.encode() in after
    assert b"WARC-Type: metadata" in after
    assert len(contents) - at > 3
    assert Counter(record.type for record in records if record.url == BROKEN) == {"request": 1, "metadata": 1}


def test_damage_breaks_the_stream_and_not_only_the_checksum(data: bytes) -> None:
    member = next(member for member, content in _split(data) if content is None)
    with pytest.raises(zlib.error, match="invalid"):
        zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(member)


def test_triples(records: list[Record]) -> None:
    assert records[0].type == "warcinfo"
    counts = Counter(record.type for record in records)
    assert counts["request"] == counts["metadata"] == len(sample.captures())
    assert counts["response"] + counts["revisit"] == len(sample.captures()) - 1
    ids = [record.headers["WARC-Record-ID"] for record in records]
    assert len(set(ids)) == len(ids)
    requests = {r.headers["WARC-Record-ID"]: r.url for r in records if r.type == "request"}
    for record in records:
        if record.type in ("response", "revisit"):
            assert requests[record.headers["WARC-Concurrent-To"]] == record.url


def test_dates_and_languages(records: list[Record]) -> None:
    years = Counter(r.headers["WARC-Date"][:4] for r in records if r.type == "response")
    assert set(years) == {"2016", "2017", "2018", "2019", "2020", "2021", "2024"}
    pages = Counter(page.language for page in sample.all_pages())
    assert len(pages) >= 13
    assert min(pages.values()) >= 2
    assert pages.most_common(1)[0][0] == "en"
    assert sum(pages.values()) >= 115


def test_every_planted_address_is_in_the_archive_and_in_the_readme(responses: dict[str, list[Record]]) -> None:
    assert len(sample.PLANTED) == len(sample.PLANTS)
    assert set(sample.PLANTED) - set(responses) == {BROKEN}
    readme = README.read_text("utf-8")
    for plant in sample.PLANTS:
        assert f"| `{plant.kind}` |" in readme
        assert plant.url in readme
        if plant.of is not None:
            assert plant.of in responses


@pytest.mark.parametrize("plant", [p for p in sample.PLANTS if p.kind in REPEATS], ids=lambda p: p.url)
def test_repeats(plant: Any) -> None:
    pages = {page.url: page for page in sample.all_pages()}
    copy, original = pages[plant.url], pages[plant.of]
    if plant.kind == "exact_duplicate":
        assert copy.text() == original.text()
    else:
        assert 0.85 <= jaccard(shingles(copy.text()), shingles(original.text())) <= 0.96


def test_unplanted_pages_are_not_near_duplicates(responses: dict[str, list[Record]]) -> None:
    """Below 0.2 in the text and, counting navigation, footers and the rest, in everything that a page shows."""
    texts = {page.url: shingles(page.text()) for page in sample.all_pages() if _kind(page.url) not in REPEATS}
    utf8 = [url for url in texts if url != BROKEN and not _kind(url).startswith("charset_")]
    shown = {url: shingles(_visible(responses[url][0].body)) for url in utf8}
    for (a, one), (b, two) in combinations(texts.items(), 2):
        assert jaccard(one, two) < 0.02, (a, b)
        if a in shown and b in shown:
            assert jaccard(shown[a], shown[b]) < 0.2, (a, b)


def _kind(url: str) -> str:
    return str(sample.PLANTED.get(url, ""))


def _visible(body: bytes) -> str:
    text = re.sub(r"(?s)<script.*?</script>|<style.*?</style>|<!--.*?-->", " ", body.decode("utf-8"))
    return re.sub(r"<[^>]+>", " ", text)


def _only(responses: dict[str, list[Record]], kind: str, number: int = 1) -> list[Record]:
    urls = [url for url, k in sample.PLANTED.items() if k == kind]
    assert len(urls) == number
    return [responses[url][0] for url in urls]


@pytest.mark.parametrize(
    ("kind", "number", "mark"),
    [
        ("mt_google_xmtfrom", 2, rb'<html lang="(de|pt)-x-mtfrom-en">'),
        ("mt_google_translated_ltr", 1, rb'class="translated-ltr"(?s:.)*<font style="[^"]+"><font style="[^"]+">'),
        ("mt_microsoft_msthash", 1, rb'<p _msttexthash="\d+" _msthash="\d+">'),
        ("mt_site_translator_active", 2, rb'"language_from":"en"|"default_language":"de"'),
        ("mt_widget_present", 1, rb"google_translate_element"),
        ("ai_residue", 1, rb"<p>As an AI language model, I do not"),
        ("ai_quoted", 1, rb"'As an AI language model, I cannot"),
        ("digital_source_type", 1, rb'"digitalSourceType": "https://schema.org/TrainedAlgorithmicMediaDigitalSource"'),
        ("benchmark_item", 1, rb"Question: (?s:.)* Answer: (?s:.)*53 coins"),
        ("optout_meta_robots", 1, rb'<meta name="robots" content="noai, noimageai">'),
        ("licence_cc_by", 1, rb'rel="license" href="https://creativecommons.org/licenses/by/4.0/"'),
        ("jsonld_dates", 1, rb'"datePublished": "2021-03-09T'),
    ],
)
def test_marks_in_the_page(responses: dict[str, list[Record]], kind: str, number: int, mark: bytes) -> None:
    for record in _only(responses, kind, number):
        assert record.status == "200"
        assert re.search(mark, record.body), record.url


def test_marks_in_the_headers(responses: dict[str, list[Record]]) -> None:
    assert _only(responses, "optout_x_robots_tag")[0].http["x-robots-tag"] == "noai"
    in_header, in_page = _only(responses, "optout_tdm_reservation", 2)
    assert in_header.http["tdm-reservation"] == "1"
    assert b'<meta name="tdm-reservation" content="1">' in in_page.body
    assert _only(responses, "status_404")[0].status == "404"
    moved = _only(responses, "redirect_301")[0]
    assert (moved.status, moved.http["location"] in responses) == ("301", True)
    assert _only(responses, "pdf")[0].body.startswith(b"%PDF-")
    assert _only(responses, "json")[0].http["content-type"] == "application/json"
    assert _only(responses, "content_encoding_gzip")[0].http["content-encoding"] == "gzip"
    assert _only(responses, "transfer_encoding_chunked")[0].http["transfer-encoding"] == "chunked"
    for kind in ("content_encoding_gzip", "transfer_encoding_chunked"):
        assert _only(responses, kind)[0].body.endswith(b"</html>\n")
    cut = _only(responses, "truncated")[0]
    assert cut.headers["WARC-Truncated"] == "length"
    assert cut.body.endswith(b"used a ruler, and")


def test_character_sets(responses: dict[str, list[Record]]) -> None:
    german = _only(responses, "charset_windows_1252")[0]
    japanese = _only(responses, "charset_shift_jis")[0]
    for record in (german, japanese):
        assert record.http["content-type"] == "text/html"
        with pytest.raises(UnicodeDecodeError):
            record.body.decode("utf-8")
    assert b"charset" not in german.body
    assert "Grüße aus der Käserei" in german.body.decode("cp1252")
    assert b'<meta charset="Shift_JIS">' in japanese.body
    assert "夏祭り" in japanese.body.decode("shift_jis")


def test_captured_more_than_once(responses: dict[str, list[Record]]) -> None:
    for url, found in responses.items():
        kind = _kind(url)
        assert len(found) == (2 if kind in ("same_url_twice", "revisit") else 1), url
        if kind == "same_url_twice":
            assert found[0].headers["WARC-Date"] < found[1].headers["WARC-Date"]
        if kind == "revisit":
            first, again = found
            assert (first.type, again.type) == ("response", "revisit")
            assert again.headers["WARC-Refers-To"] == first.headers["WARC-Record-ID"]
            assert again.headers["WARC-Payload-Digest"] == first.headers["WARC-Payload-Digest"]
    assert KINDS["same_url_twice"] == 2


def test_texts_of_the_odd_pages() -> None:
    pages = {sample.PLANTED.get(page.url): page for page in sample.all_pages()}
    assert len(pages["thin"].text().split()) < 15
    spam = pages["spam_repetition"].text().splitlines()[1:]
    assert len(set(spam)) / len(spam) < 0.3
    assert [block.kind for block in pages["list_only"].blocks] == ["list"]
    personal = pages["personal_data"].text()
    assert re.findall(r"\S+@\S+\.example", personal)
    assert all(ipaddress.ip_address(ip).is_global for ip in re.findall(r"\d+\.\d+\.\d+\.\d+", personal))


def test_english_paragraphs_are_many_distinct_and_of_a_fair_length() -> None:
    english = [
        item
        for page in sample.all_pages()
        if page.language == "en" and _kind(page.url) not in (*REPEATS, "spam_repetition", "thin")
        for block in page.blocks
        if block.kind == "p"
        for item in block.items
    ]
    assert len(set(english)) == len(english) >= 150
    assert all(45 <= len(text.split()) <= 125 for text in english)
