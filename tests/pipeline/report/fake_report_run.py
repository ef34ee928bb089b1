"""A run folder with the schemas of a real one: every label, hostile strings in every field."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.config import CurateConfig
from schemas.document import DROPPED, data_schema
from schemas.evidence import LABELS
from schemas.failure import FAILURES
from schemas.manifest import FileEntry, SourceAccount, run_manifest, sha256_of

PAYLOADS = [
    "<script>alert(1)</script>",
    "</style><script src=https://evil.example/x.js></script>",
    '"><img src="https://evil.example/x.png" onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "{{ 7*7 }}{% raw %}{{ config }}",
    '=HYPERLINK("https://evil.example","x")',
    "\u202egnp.exe\u202c \u2066abc\u2069",
    "javascript:alert(1)//",
    "]]><!--<iframe srcdoc='<script>1</script>'>",
    "zero\u200bwidth\u200d\ufe0f\U000e0041\u0000bell\u0007",
    "a\u0301" * 40 + "\u0316" * 200,
    "write to jane.doe+x@mail.example.org or 203.0.113.9 or 2001:db8::8a2e:370:7334 or 10.0.0.7",
]
SIGNALS = [
    ("ai_artefacts", "as_an_ai_language_model", 6.5, True), ("ai_artefacts", "knowledge_cutoff", 4.2, True),
    ("ai_artefacts", "markdown", 0.4, True), ("ai_page_marks", "generator:chatbot", 5.0, False),
    ("translation_marks", "gtranslate", 6.0, False), ("translation_marks", "weglot", 5.5, False),
    ("rights", "opt_out:noai", None, False), ("language", "mixed", None, True),
]  # fmt: skip
REASONS = {
    "http_status": 41, "not_html": 23, "url_banned_word": 4, "no_text": 12, "opt_out": 3, "language_score": 9,
    "gopher_short_doc": 31, "gopher_top_2_gram": 7, "gopher_stop_words": 5, "c4_lorem_ipsum": 1,
    "url_duplicate": 14, "exact_duplicate": 18, "near_duplicate": 26, "third_party_rule": 2,
}  # fmt: skip
TEXT = "the quiet river carried small boats past gardens where people talked about weather bread and old songs"
WORDS = TEXT.split()
LANGUAGES = (
    ["eng_Latn"] * 9 + ["deu_Latn"] * 4 + ["fra_Latn"] * 3 + ["jpn_Jpan", "rus_Cyrl", "arb_Arab", "hin_Deva", None]
)
TAIL = [f"q{a}{b}_Latn" for a in "abcdef" for b in "abcdef"]


def _id(*parts: object) -> str:
    return hashlib.md5(repr(parts).encode()).hexdigest()


def _identity(rng: random.Random, number: int, sources: list[str], hostile: bool) -> dict[str, Any]:
    host = rng.choice(["news.example.org", "blog.example.com", "www.example.de", "shop.example.co.uk", "example.fr"])
    url: str | None = f"https://{host if rng.random() < 0.6 else f'site{rng.randrange(60)}.example.net'}/page/{number}"
    if hostile:
        payload = PAYLOADS[number % len(PAYLOADS)]
        url = rng.choice(
            [f"https://{payload}/", f"https://ok.example/?q={payload}", payload, None, "https://192.0.2.1/a"]
        )
        url = "https://long.example/" + "x" * 10_000 if number % 13 == 0 else url
    seconds = rng.randrange(30 * 30 * 86400)
    return {
        "doc_id": _id("doc", number), "record_id": f"<urn:uuid:{number}>", "url": url,
        "source_file": rng.choice(sources), "source_offset": number * 1000,
        "fetched_at": None if number % 29 == 0 else datetime(2021, 8, 1, tzinfo=UTC) + timedelta(seconds=seconds),
    }  # fmt: skip


def _document(rng: random.Random, number: int, sources: list[str], hostile: bool) -> dict[str, Any]:
    text = " ".join(rng.choice(WORDS) for _ in range(int(rng.lognormvariate(5, 1.1)) + 2))
    payload = PAYLOADS[number % len(PAYLOADS)]
    if hostile:
        at = rng.randrange(len(text))
        text = f"{text[:at]}\n{payload} {text[at:]}"
    label = rng.choice(["unknown"] * 12 + ["machine_translated"] * 3 + ["ai_generated"] * 2 + ["human"])
    evidence = []
    for detector, signal, weight, spans in rng.sample(SIGNALS, rng.choice([0, 0, 1, 2, 4])):
        start = rng.randrange(len(text)) if spans else None
        evidence.append({
            "detector": detector, "signal": signal, "value": rng.choice([1.0, rng.random(), None, float("nan")]),
            "weight": weight, "start": start, "end": None if start is None else min(len(text), start + 30),
        })  # fmt: skip
    if hostile:
        start = text.find(payload)
        evidence += [
            {
                "detector": payload,
                "signal": payload,
                "value": 1.0,
                "weight": 9.0,
                "start": start,
                "end": start + len(payload),
            },
            {"detector": "odd", "signal": "span", "value": float("inf"), "weight": -2.0, "start": 5, "end": 10**6},
        ]
    known = label != "unknown"
    personal = [{"kind": "email", "start": 0, "end": 3}] if number % 9 == 0 else []
    rights = None if number % 5 == 0 else {
        "opt_out": [*[["noai"], [], [], ["ccbot:noindex", "noai"]][number % 4], *([payload] if hostile else [])],
        "licence": ["cc-by-4.0", None, None, "cc0-1.0", payload if hostile else None][number % 5],
        "licence_url": "https://creativecommons.org/licenses/by/4.0/" if number % 5 in (0, 1) else None,
    }  # fmt: skip
    found = [{"benchmark": payload if hostile else "gsm8k", "item": "1", "overlap": 0.5, "start": 0, "end": 5}]
    identity = _identity(rng, number, sources, hostile)
    size = rng.choice([1] * 8 + [2, 2, 3, 5, 17])
    split = rng.choice(["train"] * 12 + ["validation", "test"]) if label != "human" else "train"
    return {
        **identity, "title": payload if hostile else "A page", "text": text,
        "language": rng.choice(TAIL) if number % 6 == 0 else rng.choice(LANGUAGES), "language_score": 0.9,
        "p_human": 0.2 if known else None, "p_machine_translated": 0.3 if known else None,
        "p_ai_generated": 0.5 if known else None, "provenance_label": label,
        "provenance_reasons": [payload] if hostile else [], "evidence": evidence, "personal_data": personal,
        "rights": rights, "benchmarks": found if number % 40 == 0 else [], "quality": {"gopher_words": 100.0},
        "cluster_id": identity["doc_id"], "cluster_size": size, "split": split, "mix_weight": 1.0,
        "page_type": (None, "article", "forum")[number % 3],
        "extraction_confidence": (None, 0.3, 0.5, 0.93, 1.0)[number % 5],
    }  # fmt: skip


def write_parquet(root: Path, name: str, rows: list[dict[str, Any]], schema: pa.Schema) -> FileEntry:
    """One file of the run."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, row_group_size=50)
    return FileEntry(name, len(rows), path.stat().st_size, sha256_of(path))


def fake_run(root: Path, documents: int = 200, hostile: bool = True, seed: int = 7) -> dict[str, Any]:
    """Write the Parquet files of a run and return its manifest."""
    rng = random.Random(seed)
    sources = [f"crawl-data/CC-MAIN-2024-10/segments/170794{n}/warc/CC-MAIN-{n:05d}.warc.gz" for n in range(4)]
    sources += [PAYLOADS[1]] if hostile else []
    accounts = {source: SourceAccount() for source in sources}
    entries: list[FileEntry] = []
    every_third = [_document(rng, n, sources, hostile and n % 3 == 0) for n in range(documents)]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in every_third:
        accounts[row["source_file"]].kept += 1
        groups.setdefault((row["provenance_label"], row["split"]), []).append(row)
    schema = data_schema(["gopher_words"])
    for (label, split), rows in sorted(groups.items()):
        assert label in LABELS
        parts = [rows[: len(rows) // 2], rows[len(rows) // 2 :]] if len(rows) > 40 else [rows]
        for number, part in enumerate(parts):
            name = f"data/{label}/{split}-{number:05d}-of-{len(parts):05d}.parquet"
            entries.append(write_parquet(root, name, part, schema))
    dropped, failures = [], []
    for reason, count in REASONS.items() if documents else ():
        for number in range(count):
            row = {**_identity(rng, 10_000 + len(dropped), sources, hostile and number % 3 == 0), "reason": reason}
            dropped.append(row)
            accounts[row["source_file"]].dropped[reason] += 1
    codes = [("page", "extract", "cpu_limit"), ("page", "read", "body_too_large"), ("region", "read", "truncated")]
    if hostile:
        codes.append(("page", "detect", PAYLOADS[0]))
    for number in range(9 if documents else 0):
        unit, stage, code = codes[number % len(codes)]
        source = rng.choice(sources)
        failures.append({
            "unit": unit, "stage": stage, "code": code, "message": PAYLOADS[number] if hostile else "10 s of CPU time",
            "source_file": source, "source_offset": 5000 * number,
            "source_end": 5000 * number + 900 if unit == "region" else None,
        })  # fmt: skip
        (accounts[source].failed if unit == "page" else accounts[source].regions)[code] += 1
    entries.append(write_parquet(root, "dropped/part-00000-of-00001.parquet", dropped, DROPPED))
    entries.append(write_parquet(root, "failures/part-00000-of-00001.parquet", failures, FAILURES))
    index = pa.schema([("doc_id", pa.string()), ("kept", pa.bool_())])
    entries.append(write_parquet(root, "index/part-00000-of-00001.parquet", [], index))
    for account in accounts.values():
        account.pages = account.kept + account.dropped.total() + account.failed.total()
        account.records = Counter(response=account.pages, request=account.pages, warcinfo=1)
    return run_manifest(
        version="0.1.0",
        config=CurateConfig().plain(),
        config_fingerprint="c0ffee" * 5 + "aa",
        inputs_fingerprint="beef" * 8,
        detectors={"ai_artefacts": "11" * 16, PAYLOADS[0] if hostile else "language": "22" * 16},
        sources={source: (123_456_789, accounts[source]) for source in sources} if documents else {},
        files=entries,
        execution={"host": "secret-host-name", "seconds": 12.5, "started_at": "2031-01-01T00:00:00Z"},
    )
