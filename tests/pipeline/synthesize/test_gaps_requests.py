"""Requests, and the command from tables to files."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import ROOT, SampleRun
from gaps_samples import COOKING, HEALTH, document, write

from pipeline.host import HostTask
from pipeline.progress import Reporter
from pipeline.runs import RunError
from pipeline.synthesize.gaps import find_gaps, gaps_job
from pipeline.synthesize.gaps_command import gaps
from pipeline.synthesize.gaps_measure import Gap
from pipeline.synthesize.gaps_requests import allot, by_host, draw_length, instructions, read_requests
from pipeline.synthesize.gaps_survey import Seed, length_bins
from schemas.config import ConfigError
from schemas.targets import GapTargets, Requests, Target, load_targets

QUIET = Reporter(quiet=True)


def gap(key: str, to_add: int) -> Gap:
    return Gap(key, 0, 0, 0, 0.0, 0.0, 0.0, 0.5, "share", to_add=to_add)


def test_requests_are_shared_by_size() -> None:
    assert allot([gap("a", 5), gap("b", 7)], 100) == [5, 7]
    assert allot([gap("a", 300), gap("b", 100)], 40) == [30, 10]
    assert allot([gap("a", 1), gap("b", 1), gap("c", 1)], 2) == [1, 1, 0]
    assert allot([gap("a", 10)], 0) == [0]
    assert allot([], 10) == []


def test_parents_come_from_all_hosts_in_turn() -> None:
    seeds = [Seed(key, f"d{key}", host, "eng", 100, 0, 0, key) for key, host in ((1, 7), (2, 7), (3, 7), (4, 8))]
    assert [seed.key for seed in by_host(seeds)] == [1, 4, 2, 3]


def test_lengths_follow_the_histogram() -> None:
    lengths = np.bincount(length_bins(np.array([100] * 9 + [1000])), minlength=96)
    drawn = [draw_length(lengths, at / 100, 0.5, (50, 2000)) for at in range(100)]
    assert sum(90 <= words <= 120 for words in drawn) == 90
    assert sum(900 <= words <= 1200 for words in drawn) == 10
    assert draw_length(lengths, 0.99, 0.5, (50, 300)) == 300
    assert draw_length(np.zeros(96, np.int64), 0.5, 0.5, (50, 2000)) == 300


def test_instructions_say_what_is_wanted() -> None:
    told = instructions("ungrounded", "deu", 200, {"language": "deu", "region": "at", "topic": "health"})
    assert "in German" in told
    assert "in and for Austria" in told
    assert "health and medicine" in told
    kept = instructions("grounded", "fra", 200, {"gender": "feminine", "register": "forum"})
    assert "Everybody keeps their gender" in kept
    assert "a discussion in a forum" in kept
    assert "women and girls" in instructions("ungrounded", "eng", 200, {"gender": "feminine"})
    assert "code xyz" in instructions("ungrounded", "xyz", 200, {"register": "homepage"})


CONFIG = GapTargets(
    targets=(Target(by="topic", shares={"health": 0.5, "food": 0.5}),), requests=Requests(limit=20, rephrasings=2)
)


def corpus() -> list[dict[str, Any]]:
    """Much about food; of health, one document for each reason not to be a parent, and two that may be."""
    rows = [document(n, text=f"{COOKING} {n}") for n in range(100)]
    email = [{"kind": "email", "start": 0, "end": 5}]
    rows += [
        document(200, text=HEALTH, split="validation"),
        document(201, text=HEALTH, split="test"),
        document(202, text=HEALTH, provenance_label="ai_generated"),
        document(203, text=HEALTH, provenance_label="machine_translated"),
        document(204, text=HEALTH, rights={"opt_out": ["noai"], "licence": None, "licence_url": None}),
        document(205, text=HEALTH, personal_data=email),
        document(206, text=HEALTH, words=5),
        document(207, text=HEALTH, words=50_000),
        document(208, text=HEALTH),
        document(209, text=HEALTH, rights={"opt_out": [], "licence": None, "licence_url": None}),
    ]
    return rows


def test_parents_are_of_train_free_and_human(tmp_path: Path) -> None:
    source = write(tmp_path / "a.parquet", corpus(), group=7)
    config = CONFIG.model_copy(update={"labels": ("human", "unknown", "ai_generated", "machine_translated")})
    found = find_gaps([source], config, with_text=True)
    allowed = {document(n)["doc_id"] for n in (208, 209)}
    grounded = [one for one in found.requests if one.kind == "grounded"]
    assert {parent for one in grounded for parent in one.parents} == allowed
    assert len(grounded) == 4
    assert all(one.parent_texts == (HEALTH,) and one.depth == 1 and one.language == "eng" for one in grounded)
    assert all(one.words <= 80 for one in grounded)
    assert len(found.requests) == 20
    assert all(one.parents == () for one in found.requests if one.kind == "ungrounded")
    assert len({one.id for one in found.requests}) == 20


def test_without_ungrounded_requests_it_says_what_is_lacking(tmp_path: Path) -> None:
    source = write(tmp_path / "a.parquet", corpus())
    config = CONFIG.model_copy(update={"requests": Requests(limit=20, ungrounded=False)})
    found = find_gaps([source], config)
    assert len(found.requests) == 4
    assert found.report["requests"]["not_made"] == [
        "topic: health: 16 of 20 requests could not be made: too few documents can be parents"
    ]
    assert all(one.parent_texts == () for one in found.requests)


def test_files_are_the_same_for_every_order(tmp_path: Path) -> None:
    rows = corpus()
    one = [write(tmp_path / "a.parquet", rows[:50], 9), write(tmp_path / "b.parquet", rows[50:], 11)]
    write(tmp_path / "c.parquet", rows[::-1])
    for number, sources in enumerate((one, one[::-1], [str(tmp_path / "c.parquet")])):
        gaps_job(sources, CONFIG, tmp_path / f"out{number}", False, QUIET)
    texts = [(tmp_path / f"out{n}" / "requests.jsonl").read_bytes() for n in range(3)]
    assert texts[0] == texts[1] == texts[2]
    pages = [(tmp_path / f"out{n}" / "report" / "index.html").read_bytes() for n in range(3)]
    assert pages[0] == pages[1] == pages[2]


def test_requests_are_read_back(tmp_path: Path) -> None:
    found = gaps_job([write(tmp_path / "a.parquet", corpus())], CONFIG, tmp_path / "out", True, QUIET)
    again = read_requests(tmp_path / "out" / "requests.jsonl")
    assert list(again.values()) == found.requests
    (tmp_path / "bad.jsonl").write_text('{"id": 1}\n')
    with pytest.raises(ConfigError, match="line 1 is no request"):
        read_requests(tmp_path / "bad.jsonl")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_requests(tmp_path / "none.jsonl")


def test_like_another_corpus(tmp_path: Path) -> None:
    rows = [document(n, language="deu" if n % 2 else "eng") for n in range(400)]
    like = write(tmp_path / "like.parquet", rows)
    source = write(tmp_path / "a.parquet", [document(n, language="deu" if n % 10 == 0 else "eng") for n in range(400)])
    config = GapTargets(targets=(Target(by="language", like=like),))
    row = find_gaps([source], config).report["strata"][0]["rows"][0]
    assert (row["key"], row["target"], row["thin"]) == ("deu", 0.5, "share")
    assert find_gaps([like], config).report["strata"][0]["thin"] == 0
    empty = write(tmp_path / "empty.parquet", [])
    with pytest.raises(RunError, match="no document has a known language"):
        find_gaps([source], GapTargets(targets=(Target(by="language", like=empty),)))


def test_a_country_that_is_not_there_has_its_language(tmp_path: Path) -> None:
    source = write(tmp_path / "a.parquet", [document(n, url=f"https://h{n}.fr/") for n in range(50)])
    target = Target(by="region", shares={"at": 0.3, "aq": 0.3})
    found = find_gaps([source], GapTargets(targets=(target,), requests=Requests(limit=10)))
    assert {one.language for one in found.requests} == {"deu"}
    assert (
        "aq: 5 of 5 requests could not be made: no language is known for it" in found.report["requests"]["not_made"][0]
    )


def test_command(tmp_path: Path) -> None:
    source = write(tmp_path / "a.parquet", corpus())
    targets = tmp_path / "targets.yaml"
    targets.write_text("targets:\n  - by: topic\n    shares: {health: 0.5, food: 0.5}\n")
    out = tmp_path / "out"
    arguments = [source, "--targets", str(targets), "--output", str(out), "--requests", "6", "--quiet"]
    done = CliRunner().invoke(gaps, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert "topic: 1 thin, of 106 documents" in done.output
    report = json.loads((out / "gaps.json").read_text())
    assert report["left_out"] == {
        "provenance_label:ai_generated": 1, "provenance_label:machine_translated": 1, "split:test": 1,
        "split:validation": 1,
    }  # fmt: skip
    assert len((out / "requests.jsonl").read_text().splitlines()) == 6
    page = (out / "report" / "index.html").read_text()
    assert "<script" not in page
    assert "1 stratum is thin" in page
    assert COOKING[:30] not in page + (out / "requests.jsonl").read_text()
    assert CliRunner().invoke(gaps, arguments, catch_exceptions=False).exit_code == 0  # written anew


def test_hostile_names_do_not_reach_the_page(tmp_path: Path) -> None:
    rows = [document(n, page_type="<script>alert(1)</script>") for n in range(5)]
    config = GapTargets(targets=(Target(by="register", uniform=True),))
    gaps_job([write(tmp_path / "a.parquet", rows)], config, tmp_path / "out", False, QUIET)
    assert "<script>" not in (tmp_path / "out" / "report" / "index.html").read_text()


def test_output_is_not_taken_from_others(tmp_path: Path) -> None:
    source = write(tmp_path / "a.parquet", corpus())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("x")
    with pytest.raises(RunError, match="is not empty"):
        gaps_job([source], CONFIG, tmp_path / "full", False, QUIET)
    with pytest.raises(RunError, match="is a file"):
        gaps_job([source], CONFIG, tmp_path / "full" / "file", False, QUIET)


def test_an_empty_corpus_has_a_page(tmp_path: Path) -> None:
    found = gaps_job([write(tmp_path / "a.parquet", [])], CONFIG, tmp_path / "out", False, QUIET)
    assert found.requests == []
    assert "There is no document to count" in (tmp_path / "out" / "report" / "index.html").read_text()


def test_gaps_of_the_sample_run(sample_run: SampleRun, tmp_path: Path) -> None:
    targets = (Target(by="language", shares={"eng": 0.4, "deu": 0.3}), Target(by="topic", uniform=True))
    found = gaps_job([str(sample_run.path)], GapTargets(targets=targets), tmp_path / "out", True, QUIET)
    assert found.report["documents"] > 80
    assert found.report["strata"][0]["rows"][0]["key"] == "deu"
    assert found.requests


DOCS = (ROOT / "docs" / "gaps.md").read_text(encoding="utf-8")


def test_targets_of_the_documentation_are_targets(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", DOCS, re.MULTILINE | re.DOTALL)
    (tmp_path / "targets.yaml").write_text(block)
    assert len(load_targets(tmp_path / "targets.yaml").targets) == 5


def test_the_worked_example_prints_what_is_shown(sample_run: SampleRun, tmp_path: Path) -> None:
    targets = re.findall(r"<<'YAML'\n(.*?)^YAML$", DOCS, re.MULTILINE | re.DOTALL)[0]
    (tmp_path / "targets.yaml").write_text(targets)
    arguments = [str(sample_run.path), "--targets", str(tmp_path / "targets.yaml"), "--output", str(tmp_path / "gaps")]
    done = CliRunner().invoke(gaps, [*arguments, "--requests", "20"], catch_exceptions=False)
    assert f"```text\n{done.stdout}```\n" in DOCS


class HereHost:
    """A host whose children are here: tasks and results are pickled, and come in another order."""

    def run(self, tasks: Iterable[HostTask]) -> Iterator[tuple[Any, Any]]:
        for task in reversed(list(tasks)):
            function, arguments = pickle.loads(pickle.dumps((task.function, task.arguments)))  # noqa: S301
            yield task.key, pickle.loads(pickle.dumps(function(*arguments)))  # noqa: S301


def test_children_give_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = corpus()
    parts = [write(tmp_path / f"{n}.parquet", rows[n::4]) for n in range(4)]
    gaps_job(parts, CONFIG, tmp_path / "one", True, QUIET)
    monkeypatch.setattr("pipeline.synthesize.gaps.TASK_BYTES", 1)
    monkeypatch.setattr("pipeline.synthesize.gaps.shared_host", lambda workers: HereHost())
    gaps_job(parts, CONFIG, tmp_path / "many", True, QUIET, workers=2)
    for name in ("gaps.json", "requests.jsonl", "report/index.html"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "many" / name).read_bytes()
