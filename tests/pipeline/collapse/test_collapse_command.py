"""`headwater collapse`: input, output, messages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from click.testing import CliRunner, Result
from collapse_texts import make_texts

from pipeline.collapse import job
from pipeline.collapse.command import collapse
from pipeline.collapse.inputs import fresh_share_of
from pipeline.read.storage import InputError
from pipeline.runs import RunError
from schemas.config import ConfigError

FAST = ("--seeds", "2", "--generations", "3", "--tokens", "1000", "--temperature", "0.8", "--workers", "1")


@pytest.fixture(autouse=True)
def _few_simulations(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cases that can be calculated have tests of their own."""
    fields = job.Options.__dataclass_fields__
    defaults = {"regression_simulations": 4, "gaussian_simulations": 4}
    init = job.Options.__init__

    def with_few(self: job.Options, **values: object) -> None:
        init(self, **{**defaults, **values})  # type: ignore[arg-type]

    assert set(defaults) <= set(fields)
    monkeypatch.setattr(job.Options, "__init__", with_few)


def run(*arguments: str | Path) -> Result:
    found = CliRunner().invoke(collapse, [str(argument) for argument in arguments])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


def write_lines(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"id": n, "text": text}) + "\n" for n, text in enumerate(texts)))
    return path


def test_output_of_text_is_the_same_whatever_order_and_workers(tmp_path: Path) -> None:
    texts = make_texts(6_000)
    source = write_lines(tmp_path / "a.jsonl", texts)
    table = tmp_path / "b.parquet"
    pq.write_table(pa.table({"id": list(map(str, range(len(texts)))), "text": texts[::-1]}), table)
    found = run(source, "--output", tmp_path / "one", *FAST)
    assert found.exit_code == 0, found.output
    assert "collapses" in found.output or "perplexity" in found.output
    run(table, "--output", tmp_path / "two", *FAST, "--workers", "3", "--quiet")
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "two").iterdir())
    assert {"collapse.json", "index.html", "perplexity-t0.8.svg", "tail-t0.8.svg", "regression.svg"} <= set(names)
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    figures = json.loads((tmp_path / "one" / "collapse.json").read_text())
    assert [case["title"] for case in figures["text"]["cases"]] == [
        "replace", "10 % fresh", "30 % fresh", "accumulate", "fixed budget",
    ]  # fmt: skip
    for case in figures["text"]["cases"]:
        for figure in case["figures"].values():
            assert len(figure["mean"]) == 3
            assert all(low <= mean <= high for low, mean, high in zip(*(figure[k] for k in ("low", "mean", "high"))))  # noqa: B905
    page = (tmp_path / "one" / "index.html").read_text()
    assert page.count("<svg") == 6 + 3
    assert "http" not in re.sub(r"http-equiv|http://www.w3.org/2000/svg", "", page)  # no request
    for path in (tmp_path / "one").glob("*.svg"):
        assert ElementTree.parse(path).getroot().attrib["aria-label"]


def test_without_input_only_the_calculable_cases(tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = run("--output", out, "--fresh", "0.2", *FAST)
    assert "No INPUT" in found.output
    figures = json.loads((out / "collapse.json").read_text())
    assert figures["text"] is None
    assert [case["workflow"] for case in figures["regression"]["cases"]] == [
        "replace", "fresh_0.2", "accumulate", "budget",
    ]  # fmt: skip
    assert "no text was given" in (out / "index.html").read_text()
    (out / "old.svg").write_text("")
    run("--theory-only", "missing.jsonl", "--output", out, *FAST)  # again in the same folder; no text is read
    assert not (out / "old.svg").exists()


def make_mix(folder: Path, share: object, texts: list[str], *, lines: bool = False) -> Path:
    (folder / "data").mkdir(parents=True)
    (folder / "mix.json").write_text(json.dumps({"plan": {"fresh_human_share": share}}))
    rows = [{"text": text, "origin": "real" if n % 2 else "ungrounded"} for n, text in enumerate(texts)]
    if lines:
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        (folder / "data" / "train-00000-of-00001.jsonl.zst").write_bytes(zstandard.compress(content))
    else:
        pq.write_table(pa.Table.from_pylist(rows), folder / "data" / "train-00000-of-00001.parquet")
    return folder


@pytest.mark.parametrize("lines", [False, True])
def test_mix_gives_its_share_and_its_real_text(tmp_path: Path, lines: bool) -> None:
    mix = make_mix(tmp_path / "mix", 0.4375, make_texts(12_000), lines=lines)
    found = run("--mix", mix, "--output", tmp_path / "out", *FAST)
    assert found.exit_code == 0, found.output
    figures = json.loads((tmp_path / "out" / "collapse.json").read_text())
    assert figures["mix"]["fresh_human_share"] == 0.4375
    assert figures["options"]["fresh"] == [0.1, 0.3, 0.4375]
    assert "43.75 % fresh" in [case["title"] for case in figures["text"]["cases"]]
    assert figures["text"]["documents"] <= 30


def test_mix_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no mix\.json"):
        fresh_share_of(str(tmp_path))
    for number, share in enumerate(("0.3", 1.5, None, True)):
        with pytest.raises(RunError, match="between 0 and 1"):
            fresh_share_of(str(make_mix(tmp_path / str(number), share, ["a"])))
    with pytest.raises(ConfigError, match="nothing can collapse"):
        run("--mix", make_mix(tmp_path / "all", 1, ["a"]), "--output", tmp_path / "out", *FAST)
    empty = make_mix(tmp_path / "empty", 0.3, ["a"])
    next((empty / "data").iterdir()).unlink()
    with pytest.raises(RunError, match="has no data"):
        run("--mix", empty, "--output", tmp_path / "out", *FAST)


def test_run_gives_documents_labelled_human_or_unknown(tmp_path: Path) -> None:
    texts = make_texts(9_000)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    with pytest.raises(RunError, match="no training documents"):
        run(tmp_path / "run", "--output", tmp_path / "out", *FAST)
    for label, part in (("human", texts[:20]), ("unknown", texts[20:40]), ("ai_generated", ["model text " * 5000])):
        folder = tmp_path / "run" / "data" / label
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"text": part}), folder / "train-00000-of-00001.parquet")
    run(tmp_path / "run", "--output", tmp_path / "out", *FAST)
    figures = json.loads((tmp_path / "out" / "collapse.json").read_text())
    assert figures["text"]["documents"] <= 40
    (tmp_path / "run" / "data" / "human" / "train-00000-of-00001.parquet").write_bytes(b"PAR1 damaged")
    with pytest.raises(RunError, match="cannot be read"):
        run(tmp_path / "run", "--output", tmp_path / "again", *FAST)


def test_input_that_cannot_be_used(tmp_path: Path) -> None:
    out = tmp_path / "out"
    empty = write_lines(tmp_path / "empty.jsonl", ["", " "])
    with pytest.raises(ConfigError, match="no text in the input"):
        run(empty, "--output", out, *FAST)
    with pytest.raises(ConfigError, match="3 tokens of text, and"):
        run(write_lines(tmp_path / "small.jsonl", ["one word"]), "--output", out, *FAST)
    with pytest.raises(InputError, match="no column"):
        run(empty, "--text-column", "body", "--output", out, *FAST)
    with pytest.raises(InputError, match="no such file"):
        run(tmp_path / "missing.jsonl", "--output", out, *FAST)
    warc = tmp_path / "a.warc"
    warc.write_bytes(
        b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.example/\r\nContent-Length: 21\r\n\r\n"
        b"HTTP/1.1 200 OK\r\n\r\na\n\r\n\r\n"
    )
    with pytest.raises(InputError, match="an archive, and no table"):
        run(warc, "--output", out, *FAST)
    assert not out.exists()
    out.mkdir()
    (out / "mine.txt").write_text("")
    with pytest.raises(RunError, match="is not empty"):
        run("--output", out, *FAST)
    with pytest.raises(RunError, match="is a file"):
        run("--output", empty, *FAST)


def test_damaged_rows_are_counted(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "a.jsonl", make_texts(6_000))
    source.write_text(source.read_text() + "{broken\n[1]\n")
    found = run(source, "--output", tmp_path / "out", *FAST)
    assert "2 rows could not be read (row_malformed 2)" in found.output
    assert json.loads((tmp_path / "out" / "collapse.json").read_text())["text"]["unreadable"] == {"row_malformed": 2}


@pytest.mark.parametrize("option", [("--fresh", "0"), ("--fresh", "1"), ("--temperature", "0"), ("--seeds", "1")])
def test_options_out_of_range(tmp_path: Path, option: tuple[str, str]) -> None:
    assert run("--output", tmp_path / "out", *option).exit_code == click.UsageError.exit_code
