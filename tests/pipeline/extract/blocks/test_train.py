"""Training: labels, folds, silver labels, models of generated sites, and the commands that train and evaluate."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from pages import site_pages

from pipeline.extract.api import MainText, PageInput
from pipeline.extract.blocks import corpus, forest, train
from pipeline.extract.blocks.extractor import BlockExtractor
from pipeline.extract.blocks.features import feature_names
from pipeline.extract.blocks.train import (
    Example,
    TrainingError,
    block_weights,
    cross_validate,
    fit_blocks,
    fit_model,
    fit_page_types,
    fold_of,
    label_blocks,
    make_example,
    registered_domain,
)
from pipeline.extract.errors import ExtractionError
from pipeline.extract.extract import extract_page
from pipeline.extract.measure import word_f1
from pipeline.extractor_commands import extractor

pytest.importorskip("lightgbm")
FEW = 20  # trees: enough for generated sites


def write_archive(path: Path, pages: Iterable[tuple[str, str, str, str, str]], status: str = "200 OK") -> Path:
    from warcio.statusandheaders import StatusAndHeaders
    from warcio.warcwriter import WARCWriter

    with path.open("wb") as sink:
        writer = WARCWriter(sink, gzip=True)
        for record_id, url, html, _, _ in pages:
            headers = StatusAndHeaders(status, [("Content-Type", "text/html; charset=utf-8")], protocol="HTTP/1.1")
            writer.write_record(
                writer.create_warc_record(
                    url, "response", payload=io.BytesIO(html.encode()), http_headers=headers,
                    warc_headers_dict={"WARC-Record-ID": record_id, "WARC-Date": "2024-05-01T00:00:00Z"},
                )
            )  # fmt: skip
    return path


def truth_lines(pages: Iterable[tuple[str, str, str, str, str]], benchmark: str = "made") -> str:
    rows = (
        {"record_id": record_id, "benchmark": benchmark, "text": text, "page_type": kind}
        for record_id, _, _, text, kind in pages
    )
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture(scope="module")
def made() -> list[tuple[str, str, str, str, str]]:
    return list(site_pages(60))


@pytest.fixture(scope="module")
def archive(made: list[tuple[str, str, str, str, str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("in") / "pages.warc.gz", made)


@pytest.fixture(scope="module")
def examples(made: list[tuple[str, str, str, str, str]]) -> list[Example]:
    return [
        make_example(name, PageInput(html.encode(), url), [text], kind, 1.0) for name, url, html, text, kind in made
    ]


class FakeTeacher:
    """Takes what stands in paragraphs for main text, and refuses one page."""

    name = "fake"
    version = "1"

    def __init__(self, refused: str = "nothing") -> None:
        self.refused = refused
        self.asked: list[str] = []

    def setup(self) -> None:
        """Nothing to load."""

    def extract(self, html: str, table: Any, signals: dict[str, Any], title: str | None) -> MainText:
        self.asked.append(html)
        if self.refused in html:
            raise ExtractionError("too_deep", "made up")
        return MainText(title or "")


@pytest.mark.parametrize(
    ("texts", "truth", "shares", "words"),
    [
        (["Home About", "The river, rose.", "It fell"], "the river rose it fell", [0, 1, 1], [2, 3, 2]),
        (["a b c d"], "b d", [0.5], [4]),
        (["a b", "c"], "c a b", [1, 0], [2, 1]),  # order counts: the longer common sequence wins
        (["word", "word"], "word", [None, None], [1, 1]),  # one of them
        (["-", "x"], "x", [0, 1], [0, 1]),
        (["x y"], "", [0], [2]),
        ([], "x", [], []),
        (["\u6c34 \u706b"], "\u6c34", [0.5], [2]),
    ],
)
def test_labels(texts: list[str], truth: str, shares: list[float | None], words: list[int]) -> None:
    got, counted = label_blocks(texts, truth)
    assert counted.tolist() == words
    if None in shares:
        assert sorted(got.tolist()) == [0, 1]
    else:
        assert got.tolist() == shares


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://www.a.b.example.co.uk/x?y", "example.co.uk"),
        ("http://WWW.Example.COM.:8080/", "example.com"),
        ("https://someone.github.io/", "someone.github.io"),  # the private part of the list: other people's pages
        ("http://192.0.2.7/x", "192.0.2.7"),
        ("http://192.0.3.7/x", "192.0.3.7"),
        ("http://[2001:db8::1]/", "2001:db8::1"),
        ("https://co.uk/", "co.uk"),
        ("http://localhost/", "localhost"),
        ("no address", ""), ("", ""), (None, ""), ("http://[broken", ""),
    ],
)  # fmt: skip
def test_registered_domains(url: str | None, domain: str) -> None:
    assert registered_domain(url) == domain


def test_folds_are_stable_and_even() -> None:
    assert [fold_of(name, 5) for name in ("a.example", "b.example", "c.example", "")] == [2, 0, 1, 2]
    counts = np.bincount([fold_of(f"site{n}.example", 4) for n in range(2000)])
    assert (abs(counts - 500) < 80).all()


def test_weights_level_off() -> None:
    small, large = block_weights(np.full(10, 9, np.float32)), block_weights(np.full(1000, 9, np.float32))
    assert (small > 0).all()
    assert large.sum() < 20 * small.sum()
    assert (block_weights(np.zeros(3, np.float32)) > 0).all()


def test_several_truths_give_the_mean_label() -> None:
    page = PageInput(b"<p>one two<p>three four", "https://www.a.example.co.uk/")
    found = make_example("<r>", page, ["one two", "one two three four"], None, 0.5)
    assert found.label.tolist() == [1, 0.5]
    assert (found.domain, found.texts, found.weight) == ("example.co.uk", ["one two", "three four"], 0.5)
    assert found.x.shape == (2, len(feature_names()))


def test_a_model_of_forty_pages_reads_other_sites(
    examples: list[Example], made: list[tuple[str, str, str, str, str]]
) -> None:
    known, other = examples[:40], made[40:]
    assert not {example.domain for example in known} & {registered_domain(url) for _, url, *_ in other}
    reader = BlockExtractor(loaded=fit_model(known, 40))
    right = 0
    scores = []
    for _, url, html, text, kind in other:
        got = extract_page(PageInput(html.encode(), url), reader)
        scores.append(word_f1(got.text, text))
        right += got.page_type == kind
    assert np.mean(scores) > 0.95
    assert right >= 0.9 * len(other)


def test_equal_pages_give_equal_bytes(examples: list[Example]) -> None:
    def made_bytes(seed: int) -> bytes:
        page, types = fit_page_types(examples[:30], 5, seed=seed)
        return forest.model_bytes(fit_blocks(examples[:30], 5, seed), page, {"page_types": types})

    assert made_bytes(1) == made_bytes(1)
    assert made_bytes(1) != made_bytes(2)


def test_every_fold_is_measured_by_a_model_of_other_domains(
    examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []

    def fake(inside: list[Example], trees: int, seed: int) -> Any:
        seen.append({example.domain for example in inside})
        return len(seen) - 1

    monkeypatch.setattr(train, "fit_model", fake)
    human, silver = examples[:40], examples[40:]
    found = cross_validate(human, silver, folds=3, trees=1)
    assert set(found) == {example.record_id for example in human}
    for example in human:
        assert example.domain not in seen[found[example.record_id]]  # type: ignore[index]
    assert set().union(*seen) >= {example.domain for example in silver}


@pytest.mark.parametrize("name", ["truth.jsonl", "truth.jsonl.gz", "truth.jsonl.xz"])
def test_truth_of_several_files_and_benchmarks(tmp_path: Path, name: str) -> None:
    openers: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open}
    rows = [
        {"record_id": "<1>", "benchmark": "a", "must_contain": ["x"]},
        {"record_id": "<1>", "benchmark": "b", "text": "b text"},
        {"record_id": "<2>", "text": "two"},
    ]
    with openers.get(Path(name).suffix, open)(tmp_path / name, "wt", encoding="utf-8") as sink:
        sink.write("\n".join(map(json.dumps, rows)) + "\n\n")
    truth = corpus.read_truth([tmp_path / name])
    assert truth.to_learn_from("<1>", None) == rows[1]
    assert truth.to_learn_from("<1>", "a") is None
    assert truth.to_learn_from("<2>", "truth") == {"benchmark": "truth", **rows[2]}
    assert truth.to_learn_from("<3>", None) is None


def test_silver_labels_come_from_teachers_and_files(archive: Path, made: list[tuple[str, str, str, str, str]]) -> None:
    truth = corpus.Truth()
    truth.rows[made[0][0]].append({"benchmark": "b", "text": made[0][3], "page_type": "article"})
    truth.rows[made[1][0]].append({"benchmark": "b", "must_contain": ["x"]})  # named, so never silver
    truth.rows[made[2][0]].append({"benchmark": "other", "text": made[2][3]})  # of a benchmark that is not asked for
    teacher = FakeTeacher(refused="Site 5<")
    said: list[str] = []
    human, silver = corpus.gather(
        [str(archive)], truth, benchmark="b", teachers=[teacher], written=[{made[6][0]: made[6][3]}],
        silver_weight=0.25, say=said.append,
    )  # fmt: skip
    assert [example.record_id for example in human] == [made[0][0]]
    named = {example.record_id for example in silver}
    assert named == {page[0] for page in made[3:]} - {made[5][0]}
    assert len(teacher.asked) == len(made) - 3
    assert all(example.weight == 0.25 and example.page_type is None for example in silver)
    twice = next(example for example in silver if example.record_id == made[6][0])
    assert 0.5 in twice.label  # one of two teachers keeps it
    assert said == ["1 pages with human truth, 56 with silver labels", "left out: too_deep 1"]


def test_no_domain_gives_more_than_its_share(tmp_path: Path, made: list[tuple[str, str, str, str, str]]) -> None:
    pages = [(name, f"https://{n % 3}.one.example.co.uk/{n}", *rest) for n, (name, _, *rest) in enumerate(made[:10])]
    pages += [(name, url, *rest) for name, url, *rest in made[10:14]]  # two sites, two pages each
    path = write_archive(tmp_path / "a.warc.gz", pages)  # type: ignore[arg-type]
    _, silver = corpus.gather(
        [str(path)], corpus.Truth(), teachers=[FakeTeacher()], silver_per_domain=2, silver_weight=0.5
    )
    assert [example.domain for example in silver].count("example.co.uk") == 2
    assert len(silver) == 6


def test_only_pages_that_were_found_are_read(tmp_path: Path, made: list[tuple[str, str, str, str, str]]) -> None:
    path = write_archive(tmp_path / "a.warc.gz", made[:2], status="404 Not Found")
    assert list(corpus.read_pages([str(path)])) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"record_id": "<1>"}\n{"record_id": ', "truth.jsonl: not JSON lines in UTF-8"),
        (b'{"text": "x"}', "line 1: expected an object with `record_id`"),
        (b'\n{"record_id": 7}', "line 2: expected an object with `record_id`"),
        (b"[1]", "line 1: expected an object"),
        (b"\xff\xfe", "not JSON lines in UTF-8"),
    ],
)
def test_bad_truth_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "truth.jsonl").write_bytes(content)
    with pytest.raises(TrainingError, match=message):
        corpus.read_truth([tmp_path / "truth.jsonl"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("gone.jsonl", None),
        ("t.gz", b"no gzip"),
        ("t.xz", b"no xz"),
        ("t.gz", gzip.compress(b'{"record_id": "<1>"}\n' * 99, mtime=0)[:-9]),
    ],
)
def test_truth_that_cannot_be_unpacked(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(TrainingError, match=name):
        corpus.read_truth([tmp_path / name])


def test_nothing_to_learn_from() -> None:
    with pytest.raises(TrainingError, match="do the record ids of truth and archives agree"):
        fit_blocks([])
    with pytest.raises(TrainingError, match="do the record ids"):
        fit_blocks([make_example("<1>", PageInput(b"<p>"), ["x"], None, 1.0)])  # a page without blocks


@pytest.mark.parametrize("missing", ["lightgbm", "publicsuffixlist", "rapidfuzz.distance"])
def test_missing_packages(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    train._suffixes.cache_clear()
    monkeypatch.setitem(sys.modules, missing, None)
    try:
        with pytest.raises(TrainingError, match=r"pip install lightgbm"):
            fit_blocks([make_example("<1>", PageInput(b"<p>x", "https://a.example/"), ["x"], None, 1.0)])
    finally:
        train._suffixes.cache_clear()


def command(*arguments: object) -> Result:
    return CliRunner().invoke(extractor, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def truth(made: list[tuple[str, str, str, str, str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("truth") / "truth.jsonl"
    path.write_text(truth_lines(made[:40]))
    return path


@pytest.fixture(scope="module")
def model(archive: Path, truth: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "new" / "model.npz"
    done = command("train", archive, "--truth", truth, "--trees", FEW, "--output", path, "--attribution", "made here")
    assert done.exit_code == 0, done.output
    assert "40 pages with human truth, 0 with silver labels" in done.stderr
    return path


def test_train_writes_a_model_that_says_how_it_was_made(model: Path, archive: Path, truth: Path) -> None:
    found = forest.load_model(model, feature_names())
    assert (found.meta["pages"], found.meta["domains"], found.meta["trees"]) == (40, 20, FEW)
    assert found.meta["sources"] == {"human": 40, "silver": 0, "teachers": [], "attribution": "made here"}
    assert found.page_types == ("article", "listing")
    again = model.with_name("again.npz")
    command("train", archive, "--truth", truth, "--trees", FEW, "--output", again, "--attribution", "made here")
    assert again.read_bytes() == model.read_bytes()


def test_evaluate_a_model(model: Path, archive: Path, truth: Path, tmp_path: Path) -> None:
    done = command(
        "evaluate", archive, "--truth", truth, "--model", model, "--output", tmp_path / "new" / "texts.jsonl"
    )
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["benchmarks"]["made"]["pages"] == 40
    assert report["benchmarks"]["made"]["word_f1"] > 0.9
    assert report["page_type_accuracy"] > 0.9
    assert report["failed"] == 0
    rows = [json.loads(line) for line in (tmp_path / "new" / "texts.jsonl").read_text().splitlines()]
    assert len(rows) == 40
    assert all(row["text"] and 0 < row["confidence"] <= 1 for row in rows)
    shipped = json.loads(command("evaluate", archive, "--truth", truth, "--precision").stdout)
    assert shipped["benchmarks"]["made"]["word_f1"] != report["benchmarks"]["made"]["word_f1"]


def test_evaluate_by_folds(archive: Path, truth: Path, tmp_path: Path) -> None:
    done = command(
        "evaluate", archive, "--truth", truth, "--folds", 2, "--trees", FEW, "--output", tmp_path / "texts.jsonl"
    )
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["benchmarks"]["made"]["word_f1"] > 0.9
    assert "fold 2 of 2" in done.stderr
    assert len((tmp_path / "texts.jsonl").read_text().splitlines()) == 40


def test_train_on_silver_labels_alone(archive: Path, tmp_path: Path) -> None:
    done = command(
        "train", archive, "--silver", "resiliparse", "--trees", 5, "--silver-per-domain", 1, "--output",
        tmp_path / "m.npz", "--quiet",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert done.output == ""
    found = forest.load_model(tmp_path / "m.npz", feature_names())
    assert found.page_types == ()
    assert found.meta["sources"]["silver"] == 30
    page = PageInput(b"<p>Some words of a page that is short, but has a sentence.")
    assert extract_page(page, BlockExtractor(model=tmp_path / "m.npz")).page_type is None
    assert command("evaluate", archive, "--model", tmp_path / "m.npz").exit_code == 2  # nothing to measure on


def test_teacher_files(archive: Path, made: list[tuple[str, str, str, str, str]], tmp_path: Path) -> None:
    (tmp_path / "teacher.jsonl").write_text(truth_lines(made[:30]))
    done = command(
        "train", archive, "--teacher", tmp_path / "teacher.jsonl", "--trees", 5, "--output", tmp_path / "m.npz"
    )
    assert done.exit_code == 0, done.output
    assert "0 pages with human truth, 30 with silver labels" in done.stderr


@pytest.mark.parametrize("name", ["train", "evaluate"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--silver", "boilerpipe"], "choose from resiliparse, trafilatura"),
        (["--silver", "blocks"], "can be no teacher"),
        (["--truth", "OTHER"], "do the record ids of truth and archives agree"),
        (["--truth", "BROKEN"], "not JSON lines in UTF-8"),
        ([], "--truth"),
    ],
)
def test_mistakes_are_usage_errors(archive: Path, tmp_path: Path, name: str, options: list[str], message: str) -> None:
    (tmp_path / "OTHER").write_text('{"record_id": "<other>", "text": "x"}\n')
    (tmp_path / "BROKEN").write_text("{")
    options = [str(tmp_path / option) if option.isupper() else option for option in options]
    last = ["--output", tmp_path / "m.npz"] if name == "train" else ["--folds", 2]
    done = command(name, archive, *options, *last)
    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert not (tmp_path / "m.npz").exists()


def test_a_missing_archive_is_named(tmp_path: Path, truth: Path) -> None:
    from conftest import headwater

    done = headwater("extractor", "train", "gone.warc.gz", "--truth", truth, "--output", "m.npz", cwd=tmp_path)
    assert done.returncode == 2
    assert "gone.warc.gz" in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_extras_are_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, archive: Path, truth: Path, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    done = command("train", archive, "--truth", truth, "--output", tmp_path / "m.npz")
    assert done.exit_code == 2
    assert "pip install lightgbm" in done.stderr


def test_a_teacher_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, archive: Path, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    done = command("train", archive, "--silver", "trafilatura", "--output", tmp_path / "m.npz")
    assert done.exit_code == 2
    assert "pip install trafilatura" in done.stderr


@pytest.mark.parametrize("content", [b"no model", b""])
def test_an_unreadable_model(archive: Path, truth: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.npz").write_bytes(content)
    done = command("evaluate", archive, "--truth", truth, "--model", tmp_path / "m.npz")
    assert done.exit_code == 2
    assert "m.npz: not a model of this extractor" in done.stderr
