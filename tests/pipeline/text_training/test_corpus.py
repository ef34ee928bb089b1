"""Labelled text: which rows count, as what, and which share a document."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors.text_model.canonical import canonicalise
from detectors.text_model.lexicon import lexicon
from detectors.text_model.units import split_units
from pipeline.text_training.corpus import CorpusError, family_of, joined_documents, read_rows, with_groups


def record(name: str, **given: Any) -> dict[str, Any]:
    base = {"id": name, "text": f"text of {name}", "label": "ai", "generator": "gpt-3.5-turbo", "lang": "en"}
    return {**base, "domain": "news", "source": "paper", **given}


def written(path: Path, *records: Any) -> Path:
    text = "".join(json.dumps(r) + "\n" for r in records)
    if path.suffix == ".xz":
        path.write_bytes(lzma.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


def test_rows_and_rules(tmp_path: Path) -> None:
    first = written(
        tmp_path / "a.jsonl.xz",
        record("1"),
        record("2", label="human", generator="human", licence="MIT", shares_with=["other"]),
        record("3", prompt_type="adversarial_word_llm"),
        record("4", prompt_type="direct_prompt", attack="None"),
        record("5", attack="dipper"),
        record("6", label="human_edited_by_machine", prompt_type="polish"),
        record("7", generator="gpt2-xl"),
        record("8", generator="someone", head="raw"),
    )
    second = written(tmp_path / "b.jsonl", record("1", text="again"), record("9", text="text of 1"), record("10"))
    rows = {row.id: row for row in read_rows([first, second])}
    assert sorted(rows, key=int) == ["1", "2", "3", "4", "5", "6", "7", "8", "10"]
    assert {i: rows[i].family for i in "12678"} == {"1": "chat", "2": "human", "6": "edited", "7": "raw", "8": "raw"}
    assert {i: rows[i].attack for i in "13456"} == {
        "1": "", "3": "adversarial_word_llm", "4": "", "5": "dipper", "6": "polish",
    }  # fmt: skip
    assert (rows["2"].licence, rows["2"].shares, rows["2"].machine, rows["7"].machine) == (
        "MIT",
        ("other",),
        False,
        True,
    )
    assert rows["1"].language == "eng"


def test_translation_test_sets_give_their_originals(tmp_path: Path) -> None:
    base = {"lang": "en", "domain": "news", "doc_id": "d1", "segs": ["One.", "Two."]}
    path = written(
        tmp_path / "wmt22.jsonl", {"id": "a", "label": "human_original", **base}, {"id": "b", "label": "mt", **base}
    )
    (row,) = read_rows([path])
    assert (row.text, row.family, row.source, row.pair) == ("One. Two.", "human", "wmt", "wmt:d1")


@pytest.mark.parametrize(
    ("generator", "family"),
    [
        ("gpt-3.5-turbo", "chat"), ("text-davinci-003", "chat"), ("llama-2-70b-chat", "chat"), ("gpt4", "chat"),
        ("llama-7b", "raw"), ("gpt-3-175b-base", "raw"), ("flan-t5-xxl", "raw"), ("opt-2.7b", "raw"),
        ("GPT-NeoXT-Chat-Base", "chat"), ("gpt-3.5/davinci", "raw"),
    ],
)  # fmt: skip
def test_families(generator: str, family: str) -> None:
    assert family_of(generator) == family
    assert family_of(generator, {generator: "raw"}) == "raw"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "no JSON object"),
        ('{"id": "1"}', "label"),
        ('{"label": "odd"}', "lacks or spoils"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=message):
        read_rows([path])
    with pytest.raises(CorpusError, match="cannot be read"):
        read_rows([tmp_path / "none.jsonl"])


def test_groups_are_domains_where_those_are_large(tmp_path: Path) -> None:
    records = [
        record(f"{source}-{domain}-{side}-{i}", source=source, domain=domain, label=side)
        for source, domains in (("large", ("x", "y")), ("small", ("x",)))
        for domain in domains
        for side in ("human", "ai")
        for i in range(4)
    ]
    rows = with_groups(read_rows([written(tmp_path / "a.jsonl", *records)]), least=4)
    assert {row.group for row in rows} == {"large:x", "large:y", "small"}


def test_shared_runs_of_words_join_documents() -> None:
    words = [f"word{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(120)]
    texts = [
        " ".join(words[:40]) + ".",
        " ".join(["before", *words[10:50]]) + ".",  # shares 30 words with the first
        " ".join(words[60:100]) + ".",
        " ".join([*words[100:110], *words[60:68]]) + ".",  # shares one run only
        "Another text.",
    ]
    units = split_units(canonicalise(texts), lexicon("eng"))
    bounds = np.asarray(units.doc_unit)
    found = joined_documents(units.hash, bounds, ["a", "b", "c", "d", "c"]).tolist()
    assert found[0] == found[1]
    assert found[2] == found[4]
    assert len({found[0], found[2], found[3]}) == 3
