"""`headwater curate` with repeated lines and substrings cut: published text is the text of the page less its cuts."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import headwater

CONFIG = """
quality: {profile: none}
provenance: {parallel: false, hosts: false}
policy:
  duplicates:
    near: false
    lines: {rule: site}
    substrings: {words: 20}
"""


def write_pages(path: Path, count: int = 24) -> None:
    """Pages of one site with a menu, a foot with an address, a shared paragraph and prose of their own."""
    shared = " ".join(f"shared{n}" for n in range(30))
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            own = "\n".join(" ".join(f"own{number}x{n}x{k}" for k in range(12)) + "." for n in range(6))
            middle = f"\nHere, {shared}. Then page {number} goes on.\nwrite to page{number}@site.example" * (number % 2)
            text = f"Home\nProducts and prices\n{own}{middle}\nNumber {number} ends here.\nAsk foot@site.example"
            row = {"id": f"p{number}", "text": text, "url": f"https://site.example/{number}"}
            file.write(json.dumps(row) + "\n")


def rows(run: Path) -> dict[str, dict[str, Any]]:
    files = sorted((run / "data").rglob("*.parquet"))
    return {row["doc_id"]: row for file in files for row in pq.read_table(file, partitioning=None).to_pylist()}


def digests(run: Path) -> dict[str, str]:
    files = [file for part in ("data", "dropped", "index") for file in (run / part).rglob("*.parquet")]
    return {str(file.relative_to(run)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def curate(pages: Path, out: Path, config: str, *options: str) -> Path:
    file = out.with_suffix(".yaml")
    file.write_text(config)
    done = headwater("curate", pages, "--output", out, "--config", file, "--quiet", *options)
    assert done.returncode == 0, done.stderr
    return out


def test_text_is_what_its_cuts_leave(tmp_path: Path) -> None:
    write_pages(tmp_path / "pages.jsonl")
    off = CONFIG.replace("rule: site", "rule: none").replace("words: 20", "words: 0")
    plain = rows(curate(tmp_path / "pages.jsonl", tmp_path / "plain", off, "--workers", "1"))
    out = curate(tmp_path / "pages.jsonl", tmp_path / "cut", CONFIG, "--workers", "2")
    found = rows(out)
    assert len(found) == len(plain) == 24
    rules: list[str] = []
    for doc_id, row in found.items():
        text, at, left = plain[doc_id]["text"], 0, ""
        assert plain[doc_id]["cuts"] == []
        for cut in row["cuts"]:
            left += text[at : cut["start"]]
            at = cut["end"]
            rules.append(cut["rule"])
        assert row["text"] == left + text[at:]
        assert not {"Home", "Products and prices", "Ask foot@site.example"} & set(row["text"].split("\n"))
        mails = [row["text"][p["start"] : p["end"]] for p in row["personal_data"]]
        assert all(mail.startswith("page") and mail.endswith("@site.example") for mail in mails)
        assert len(mails) == row["text"].count("@")
    assert sum("shared7" in row["text"] for row in found.values()) == 1, "one copy of the paragraph stays"
    assert rules.count("line_site") == 48
    assert rules.count("substring") == 11
    run = json.loads((out / "run.json").read_text())
    assert run["counts"]["pages"] == run["counts"]["kept"] == 24


@pytest.mark.full
def test_the_same_bytes_however_the_work_is_dealt(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_pages(tmp_path / "in" / "pages.jsonl")
    first = curate(tmp_path / "in", tmp_path / "one", CONFIG, "--workers", "1")
    again = curate(
        tmp_path / "in", tmp_path / "two", CONFIG, "--workers", "2", "--split-size", "4096", "--",
        "--direct_runner_bundle_repeat=2",
    )  # fmt: skip
    assert digests(first) == digests(again)
