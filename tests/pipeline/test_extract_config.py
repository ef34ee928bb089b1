"""`extract.*` of a configuration: what cannot be used is told in one line before work starts, and staging tells apart
what gives other text."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import headwater

from pipeline.extract.blocks.extractor import default_model_path
from pipeline.job import prepare_annotator
from schemas.config import ConfigError, CurateConfig, ExtractConfig, load_config

PAGES = Path(__file__).resolve().parents[2] / "pipeline" / "data" / "sample.warc.gz"


def shipped(**changed: object) -> bytes:
    """The shipped model with other `meta`."""
    with np.load(io.BytesIO(default_model_path().read_bytes())) as data:
        arrays = {name: data[name] for name in data}
    meta = {**json.loads(bytes(arrays["meta"])), **changed}
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    sink = io.BytesIO()
    np.savez(sink, **arrays)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("extract", "message"),
    [
        ({"model": "/nowhere/model.npz"}, "/nowhere/model.npz: cannot be read"),
        ({"model": "TEXT"}, "model.npz: not a model of this extractor"),
        ({"model": "OTHER"}, "made for other features; train it again with `headwater extractor train`"),
        ({"model": "/"}, "/: cannot be read"),
        ({"extractor": "resiliparse", "markup": "markdown"}, "extract.markup is of the extractor blocks"),
        ({"extractor": "resiliparse", "precision": True}, "extract.precision is of the extractor blocks"),
        ({"extractor": "trafilatura", "model": "m.npz"}, "extract.model is of the extractor blocks"),
        ({"extractor": "boilerpipe"}, "known: blocks, resiliparse, trafilatura"),
    ],
)
def test_what_cannot_be_used_is_a_configuration_error(tmp_path: Path, extract: dict[str, object], message: str) -> None:
    model = tmp_path / "model.npz"
    if extract.get("model") in ("TEXT", "OTHER"):
        model.write_bytes(b"no model" if extract["model"] == "TEXT" else shipped(features=["a"]))
        extract = {"model": str(model)}
    with pytest.raises(ConfigError) as error:
        prepare_annotator(CurateConfig(extract=ExtractConfig.model_validate(extract)))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extract: {markup: html}", "extract.markup: Input should be 'plain' or 'markdown'"),
        ("extract: {model: ''}", "extract.model"),
        ("extract: {precision: maybe}\npolicy: {minimum_words: -1}", "extract.precision.*; policy.minimum_words"),
    ],
)
def test_every_fault_of_a_file_is_in_the_one_line_that_is_shown(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        load_config(tmp_path / "c.yaml")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("command", "extract", "message"),
    [
        ("curate", "{model: /nowhere/model.npz}", "/nowhere/model.npz: cannot be read"),
        ("extract", "{model: c.yaml}", "c.yaml: not a model of this extractor"),
        ("detectors", "{extractor: resiliparse, markup: markdown}", "extract.markup is of the extractor blocks"),
        ("detectors", "{markup: html}", "Input should be 'plain' or 'markdown'"),
    ],
)
def test_the_command_says_so_and_writes_nothing(tmp_path: Path, command: str, extract: str, message: str) -> None:
    (tmp_path / "c.yaml").write_text(f"extract: {extract}")
    rest = ["list"] if command == "detectors" else ["--workers", "1", "--output", "out.jsonl", str(PAGES)]
    done = headwater(command, *rest, "--config", "c.yaml", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("First run of this installation")]
    assert len(lines) == 1
    assert message in lines[0]
    assert [path.name for path in tmp_path.iterdir()] == ["c.yaml"]


def test_staging_tells_apart_what_gives_other_text(tmp_path: Path) -> None:
    model = tmp_path / "model.npz"
    model.write_bytes(shipped(seed=2))
    copy = tmp_path / "copy.npz"
    copy.write_bytes(default_model_path().read_bytes())
    choices: dict[str, dict[str, object]] = {
        "default": {},
        "markdown": {"markup": "markdown"},
        "precise": {"precision": True},
        "both": {"markup": "markdown", "precision": True},
        "model": {"model": str(model)},
        "resiliparse": {"extractor": "resiliparse"},
    }
    found = {
        name: prepare_annotator(CurateConfig(extract=ExtractConfig.model_validate(choice))).fingerprint()
        for name, choice in {**choices, "same": {"model": str(copy)}}.items()
    }
    assert found.pop("same") == found["default"]  # bytes count, not where they lie
    assert len(set(found.values())) == len(choices)
