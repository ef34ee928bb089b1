"""The laws of a detector, as a property suite that ships with the package: `check_laws(MyDetector())`.

row-local      any split of the rows gives the same result, row by row
total          never raises on data: empty batch, nulls, "", 10 MB, NULs, mixed scripts, no page
deterministic  the same result again, and in another process with another hash seed
honest spans   0 <= start <= end <= len(text), in evidence and in columns with spans
declared       exactly the outputs that it declares, of their types and of the batch's length
serialisable   pickles before setup; fingerprint is stable and survives the trip
bounded        time on adversarial text grows about linearly
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pyarrow as pa

from detectors.api import Detector, FeatureCache, Signals, fingerprint
from schemas.document import DOCUMENT_INPUT
from schemas.evidence import Evidence

LARGE_CHARACTERS = 10_000_000
# Time of a text ten times as long may grow by this factor (10 is linear), with a floor against noise in seconds.
GROWTH = 40.0
FLOOR_SECONDS = 0.25


class LawBroken(AssertionError):
    """A detector broke a law; `law` names it."""

    def __init__(self, detector: Detector, law: str, detail: str) -> None:
        super().__init__(f"{detector.name}: {law}: {detail}")
        self.law = law


def check_laws(detector: Detector, batches: Iterable[pa.RecordBatch] | None = None, processes: bool = True) -> None:
    """Check every law on `batches` (DOCUMENT_INPUT; default: `hostile_batches`).

    `processes` also runs the detector in a child process, which takes a second or two.

    Raises:
        LawBroken: with the law's name and the row or column at fault.
    """
    batches = list(hostile_batches() if batches is None else batches)
    check_serialisable(detector)
    detector.setup()
    for batch in batches:
        signals = run(detector, batch)
        check_declared(detector, batch, signals)
        check_spans(detector, batch, signals)
        check_row_local(detector, batch, signals)
        if plain(run(detector, batch)) != plain(signals):
            raise LawBroken(detector, "deterministic", "a second call gave another result")
    if processes:
        check_processes(detector, [batch for batch in batches if batch.nbytes < 4_000_000])
    check_bounded(detector)


def run(detector: Detector, batch: pa.RecordBatch) -> Signals:
    """The detector on a batch with a fresh cache. A raise breaks the law `total`."""
    try:
        return detector(batch, FeatureCache(batch))
    except Exception as error:
        raise LawBroken(detector, "total", f"raised {type(error).__name__}: {error}") from error


def plain(signals: Signals) -> tuple[dict[str, list[Any]], list[tuple[Any, ...]]]:
    """Comparable form; evidence in order of row, NaN as text."""
    columns = {name: [repr(v) for v in values.to_pylist()] for name, values in signals.columns.items()}
    found = [(e.row, e.detector, e.signal, repr(e.value), repr(e.weight), e.start, e.end) for e in signals.evidence]
    return columns, sorted(found, key=lambda f: f[0])


def check_serialisable(detector: Detector) -> None:
    """Pickles before setup, with one fingerprint before and after."""
    before = fingerprint(detector)
    try:
        copy = pickle.loads(pickle.dumps(detector))  # noqa: S301 (its own bytes)
    except Exception as error:
        raise LawBroken(detector, "serialisable", f"does not pickle before setup ({error})") from error
    if fingerprint(copy) != before or fingerprint(detector) != before:
        raise LawBroken(detector, "serialisable", "the fingerprint is not stable")


def check_declared(detector: Detector, batch: pa.RecordBatch, signals: Signals) -> None:
    """Columns are those declared; evidence names the detector and existing rows, in order."""
    if set(signals.columns) != set(detector.outputs):
        raise LawBroken(detector, "declared", f"returns {sorted(signals.columns)}, declares {sorted(detector.outputs)}")
    for name, kind in detector.outputs.items():
        values = signals.columns[name]
        if values.type != kind or len(values) != batch.num_rows:
            detail = f"{name} is {values.type} x {len(values)}, declared {kind} x {batch.num_rows}"
            raise LawBroken(detector, "declared", detail)
    if not detector.columns <= set(DOCUMENT_INPUT.names):
        raise LawBroken(detector, "declared", f"reads unknown columns {sorted(detector.columns)}")
    for finding in signals.evidence:
        if not 0 <= finding.row < batch.num_rows or finding.detector != detector.name:
            raise LawBroken(detector, "declared", f"evidence of row {finding.row} by {finding.detector}")


def check_spans(detector: Detector, batch: pa.RecordBatch, signals: Signals) -> None:
    """Spans lie within the text of their row, in evidence and in every list of structs with start and end."""
    texts = batch.column("text").to_pylist()

    def check(row: int, start: int | None, end: int | None, what: str) -> None:
        if start is None and end is None:
            return
        if start is None or end is None or not 0 <= start <= end <= len(texts[row] or ""):
            raise LawBroken(detector, "honest spans", f"row {row}: {what} [{start}, {end}) of {len(texts[row] or '')}")

    for finding in signals.evidence:
        check(finding.row, finding.start, finding.end, finding.signal)
    for name, values in signals.columns.items():
        for row, items in enumerate(values.to_pylist()):
            for item in items if isinstance(items, list) else ():
                if isinstance(item, Mapping) and {"start", "end"} <= set(item):
                    check(row, item["start"], item["end"], name)


def check_row_local(detector: Detector, batch: pa.RecordBatch, whole: Signals) -> None:
    """Rows one by one, in two halves, and backwards give what the whole batch gives."""
    rows = batch.num_rows
    expected = plain(whole)
    for cuts in (list(range(rows + 1)), [0, rows // 2, rows]):
        parts = [(start, run(detector, batch.slice(start, end - start))) for start, end in pairwise(cuts)]
        if plain(_join(detector, parts)) != expected:
            raise LawBroken(detector, "row-local", f"a split at {cuts[:8]} gives another result")
    backwards = batch.take(pa.array(range(rows - 1, -1, -1), pa.int64()))
    turned = plain(run(detector, backwards))
    columns = {name: values[::-1] for name, values in turned[0].items()}
    evidence = sorted(((rows - 1 - f[0], *f[1:]) for f in turned[1]), key=lambda f: f[0])
    if (columns, evidence) != expected:
        raise LawBroken(detector, "row-local", "rows in reverse order give another result")


def _join(detector: Detector, parts: Sequence[tuple[int, Signals]]) -> Signals:
    columns = {
        name: pa.concat_arrays([_flat(s.columns[name]) for _, s in parts]) if parts else pa.array([], kind)
        for name, kind in detector.outputs.items()
    }
    evidence: list[Evidence] = [replace(e, row=start + e.row) for start, s in parts for e in s.evidence]
    return Signals(columns, evidence)


def _flat(values: pa.Array) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


_CHILD = """
import pickle, sys
import pyarrow as pa
from detectors.laws import plain, run
from detectors.api import fingerprint
sys.path[:0] = {path!r}
detector, batches = pickle.load(sys.stdin.buffer)
detector.setup()
result = fingerprint(detector), [plain(run(detector, batch)) for batch in batches]
sys.stdout.buffer.write(pickle.dumps(result))
"""


def check_processes(detector: Detector, batches: Sequence[pa.RecordBatch]) -> None:
    """Another process, with another hash seed, gives the same bytes and the same fingerprint."""
    expected = fingerprint(detector), [plain(run(detector, batch)) for batch in batches]
    paths = [path for path in sys.path if path]
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": os.pathsep.join([os.getcwd(), *paths])}
    child = subprocess.run(
        [sys.executable, "-c", _CHILD.format(path=[])],
        input=pickle.dumps((detector, list(batches))),
        capture_output=True,
        env=environment,
        timeout=300,
        check=False,
    )
    if child.returncode:
        raise LawBroken(detector, "serialisable", f"fails in another process: {child.stderr.decode()[-2000:]}")
    if pickle.loads(child.stdout) != expected:  # noqa: S301 (our own child)
        raise LawBroken(detector, "deterministic", "another process gives another result")


def check_bounded(detector: Detector, texts: Mapping[str, Callable[[int], str]] | None = None) -> None:
    """Time on adversarial texts of 20,000 and 200,000 characters grows by less than `GROWTH`."""
    for name, make in (texts or ADVERSARIAL).items():
        small, large = (min(_seconds(detector, make(size)) for _ in range(2)) for size in (20_000, 200_000))
        if large > max(FLOOR_SECONDS, GROWTH * small):
            raise LawBroken(detector, "bounded", f"{name}: {small:.3f} s grow to {large:.3f} s at ten times the length")


def _seconds(detector: Detector, text: str) -> float:
    batch = make_batch([{"text": text}])
    start = time.process_time()
    run(detector, batch)
    return time.process_time() - start


def _repeat(unit: str, tail: str = "") -> Callable[[int], str]:
    return lambda size: (unit * (size // len(unit) + 1))[:size] + tail


# Texts that make careless patterns go back and forth: long runs of what a quantifier eats, without its end.
ADVERSARIAL: dict[str, Callable[[int], str]] = {
    "one letter": _repeat("a", "!"),
    "no end of e-mail": _repeat("a.", "@"),
    "signs of e-mail": _repeat("a@"),
    "dots and digits": _repeat("1."),
    "colons": _repeat("a:"),
    "brackets": _repeat("[insert "),
    "stars": _repeat("**a "),
    "spaces": _repeat(" ", "x"),
    "quotes": _repeat('"as an ai language model '),
    "selectors": _repeat("\ufe04\U000e0133"),
    "lines": _repeat("a\n"),
    "dotted capital i": _repeat("İ"),
    "combining": _repeat("e\u0301"),
}

_DATE = datetime(2024, 2, 29, 12, tzinfo=UTC)


def make_batch(rows: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
    """A batch of DOCUMENT_INPUT from partial rows; what is missing is filled in, so that a test says what matters."""
    full = [
        {
            "doc_id": f"{i:032x}",
            "record_id": f"<urn:uuid:{i}>",
            "url": "https://example.org/",
            "source_file": "laws",
            "source_offset": i,
            "fetched_at": _DATE,
            "title": None,
            "text": "",
            "page": None,
            **row,
        }
        for i, row in enumerate(rows)
    ]
    schema = pa.schema([field.with_nullable(True) for field in DOCUMENT_INPUT])
    return pa.RecordBatch.from_pylist(full, schema=schema)


EMPTY_PAGE: dict[str, Any] = {"meta": [], "links": [None], "marks": [{"name": None, "count": None}], "headers": None}
ODD_PAGE: dict[str, Any] = {
    "html_lang": "x" * 5000,
    "html_attributes": [{"name": None, "value": "a"}, {"name": "html.class", "value": None}, None],
    "meta": [{"name": "robots", "value": "\x00"}, {"name": "AIGC", "value": "label" * 500}, None],
    "links": [{"rel": None, "lang": None, "href": None}, {"rel": "alternate", "lang": "\ufffd", "href": "http://[::1"}],
    "robots": [None, "", ":::", "noai"],
    "licence_links": [None, "", "creativecommons.org/licenses/by/"],
    "marks": [{"name": "weglot", "count": None}, {"name": "msthash", "count": -3}],
    "structured": [{"name": "digitalSourceType", "value": "/"}, {"name": "@type", "value": "\x00"}],
    "headers": [{"name": "tdm-reservation", "value": " 1 "}, {"name": "x", "value": None}],
}


def hostile_batches() -> list[pa.RecordBatch]:
    """Batches for the laws: no rows, nulls, odd characters, mixed scripts, odd pages, and a row of 10 MB."""
    prose = "The river runs down from the hills to the sea, and the town has lived from it for a long time. " * 8
    texts: list[str | None] = [
        None,
        "",
        " \n\t\r\x0b\x0c\u2028\u2029\x85",
        "\x00\x00a\x00b\x00",
        "123 456 !!! ???",
        "x",
        "\ufeff\u200b\u202e\ufffd\U0010ffff",
        prose,
        prose.upper(),
        "日本語のテキスト。" * 40 + "\n" + prose + "\nΑυτό είναι ένα κείμενο. Это текст на русском языке. هذا نص عربي",
        "İİİ as an AI language model, İ cannot\nRegenerate response\n**a** **b** **c** ## d",
        "mail a.b@example.org, 8.8.8.8 and 10.0.0.1 or 2001:4860:4860::8888 [insert name here] turn0search1",
        "👩‍👩‍👧‍👦🏳️‍🌈" * 50 + "\ufe00" * 40,
        "".join(chr(0xFE00 + b if b < 16 else 0xE0100 + b - 16) for b in b"C2PATXT\0\x01\0\0\xff\xffabc"),
    ]
    pages: list[dict[str, Any] | None] = [None, EMPTY_PAGE, ODD_PAGE]
    rows = [
        {"text": text, "page": pages[i % 3], "url": [None, "http://[", "https://de.example.org/fr/?lang=es"][i % 3]}
        for i, text in enumerate(texts)
    ]
    rows += [{"text": prose, "page": page, "title": "\x00", "fetched_at": None} for page in pages]
    large = (prose + "\n") * (LARGE_CHARACTERS // (len(prose) + 1) + 1)
    return [make_batch([]), make_batch(rows), make_batch([{"text": large[:LARGE_CHARACTERS]}])]
