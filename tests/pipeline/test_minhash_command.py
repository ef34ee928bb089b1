"""`headwater minhash`."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from click.testing import CliRunner

from detectors.features.minhash import PRESETS, SHAPES
from pipeline.cli import cli
from schemas.config import DuplicatePolicy


def run(*arguments: str) -> str:
    found = CliRunner().invoke(cli, ["minhash", *arguments])
    assert found.exit_code == 0, found.output
    return found.output


def test_presets_are_the_shapes_of_the_configuration() -> None:
    assert {name: str(shape) for name, shape in PRESETS.items()} == {
        "fineweb": "14x8", "curator": "20x13", "dolma3": "26x11", "hplt": "17x15",
    }  # fmt: skip
    assert set(get_args(DuplicatePolicy.model_fields["shape"].annotation)) == set(SHAPES)


def test_table() -> None:
    lines = run().splitlines()
    assert len(lines) == 1 + 19 + 2
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split() == ["similarity", "fineweb", "14x8", "curator", "20x13", "dolma3", "26x11", "hplt", "17x15"]
    rows = {line.split()[0]: line.split()[-4:] for line in lines[1:]}
    assert rows["1.00"] == ["1.0000"] * 4
    assert rows["0.80"][0] == "0.9235"
    assert rows["0.75"][0] == "0.7716"  # 77 % in FineWeb's paper
    assert rows["permutations"] == ["112", "260", "286", "255"]


def test_json_of_chosen_presets() -> None:
    found = json.loads(run("--json", "hplt", "fineweb", "hplt"))
    assert [preset["preset"] for preset in found] == ["hplt", "fineweb"]
    assert [point[0] for point in found[0]["curve"]] == [round(0.1 + 0.05 * step, 2) for step in range(19)]
    chances = [point[1] for point in found[0]["curve"]]
    assert chances == sorted(chances)
    assert found[1]["half"] == pytest.approx(0.685, abs=0.002)


def test_a_preset_that_there_is_not() -> None:
    found = CliRunner().invoke(cli, ["minhash", "fineweb3"])
    assert found.exit_code == 2
    assert "'fineweb', 'curator', 'dolma3', 'hplt'" in found.output
