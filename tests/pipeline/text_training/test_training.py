"""Training and evaluation of a head on made-up language: what is learned, what is left out, what the commands write."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from detectors.text_model.model import TextFeatures, load_model
from pipeline.cli import cli
from pipeline.text_training import fit
from pipeline.text_training.design import Design, clean_rows, read_design
from pipeline.text_training.measures import auc
from pipeline.text_training.protocol import folds, run_fold, training_rows

TOPICS = {
    "alpha": ["river", "stone", "bridge", "water", "boat", "mill", "fish", "shore", "bank", "flood"],
    "beta": ["engine", "wheel", "motor", "road", "car", "brake", "driver", "fuel", "tyre", "speed"],
    "gamma": ["bread", "oven", "flour", "sugar", "butter", "baker", "cake", "yeast", "dough", "salt"],
}


def sentence(chance: random.Random, topic: list[str], machine: bool) -> str:
    words = [chance.choice(topic) if i % 2 else chance.choice(["the", "a", "my", "this", "her"]) for i in range(12)]
    if chance.random() < (0.9 if machine else 0.1):
        words[0] = chance.choice(("moreover", "furthermore", "additionally"))
        words[1] = "significantly"
    return (" ".join(words) + ".").capitalize()


def corpus() -> list[dict[str, Any]]:
    chance = random.Random(5)
    rows = []
    for source, topic in TOPICS.items():
        for i in range(180):
            machine = i % 2 == 0
            text = " ".join(sentence(chance, topic, machine) for _ in range(6))
            rows.append(
                {
                    "id": f"{source}{i}", "text": text, "label": "ai" if machine else "human",
                    "generator": ("gpt-a", "gpt-b")[i % 4 // 2] if machine else "human", "lang": "en",
                    "domain": "d", "source": source, "pair_id": f"{i // 2}", "licence": "MIT",
                    "attack": "dipper" if machine and i % 18 == 0 else None,
                    "shares_with": ["alpha"] if source == "gamma" and i % 3 == 0 else [],
                }
            )  # fmt: skip
    return rows


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "labelled.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in corpus()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def design(labelled: Path) -> Design:
    return read_design([labelled])


def run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(cli, ["detectors", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_nothing_of_a_left_out_source_is_learned(design: Design) -> None:
    for fold in folds(design, "chat", "source"):
        train, calibration = training_rows(design, "chat", fold)
        for rows in (train, calibration):
            assert fold.name not in design.source[rows]
            assert not set(design.document[rows]) & set(design.document[fold.out])
            assert not any(fold.name in design.rows[i].shares for i in rows)
            assert (design.attack[rows] == "").all()
        assert not set(design.document[train]) & set(design.document[calibration])


def test_an_unseen_source_is_told_apart_and_shuffled_labels_are_not(design: Design) -> None:
    fold = folds(design, "chat", "source")[0]
    honest = run_fold(design, "chat", fold, "source")
    machine = design.machine[honest.test]
    assert auc(machine, honest.z) > 0.95
    shuffled = [auc(machine, run_fold(design, "chat", fold, "source", shuffled=seed).z) for seed in range(3)]
    assert abs(np.mean(shuffled) - 0.5) < 0.25
    assert len(honest.attacked) == 10


def test_generators_are_left_out_one_at_a_time(design: Design) -> None:
    found = folds(design, "chat", "generator")
    assert [fold.name for fold in found] == ["gpt-a", "gpt-b"]
    for fold in found:
        train, _ = training_rows(design, "chat", fold)
        assert fold.name not in design.generator[train]


def test_the_raw_head_wants_raw_text(design: Design) -> None:
    assert not design.machine[clean_rows(design, "raw")].any()
    assert design.machine[clean_rows(design, "chat")].any()


def test_balance_and_cap() -> None:
    machine = np.array([True] * 10 + [False] * 40)
    groups = ["a"] * 5 + ["b"] * 5 + ["a"] * 4 + ["b"] * 36
    weight = fit.balance(groups, machine)
    assert weight[machine].sum() == pytest.approx(weight[~machine].sum()) == pytest.approx(25)
    assert weight[10] / weight[-1] == pytest.approx(3)
    kept = fit.cap(groups, machine, ["g"] * 50, np.arange(50, dtype=np.uint64), human=10, generated=3)
    assert kept.tolist() == [0, 1, 2, 5, 6, 7, 10, 11, 12, 13, *range(14, 24)]


def test_logistic_regression_is_at_its_optimum() -> None:
    from scipy import sparse

    chance = np.random.default_rng(3)
    dense = chance.normal(size=(80, 6)).astype(np.float32)
    target, weight = chance.random(80), chance.random(80) + 0.5
    found, intercept = fit.fit_linear(sparse.csr_matrix(dense), target, weight, 2.0, 200)
    residual = weight * (1 / (1 + np.exp(-(dense @ found + intercept))) - target)
    assert np.allclose(dense.T @ residual + found / 2.0, 0, atol=0.02)
    assert abs(residual.sum()) < 0.02


def test_quantised_weights_are_near(design: Design) -> None:
    coefficients = np.random.default_rng(1).normal(size=1 << 8)
    (weights,), (scale,) = fit.quantise(coefficients, [8])
    assert np.abs(weights[:, 0] * scale - coefficients).max() < scale


def test_train_writes_a_model_and_its_card(labelled: Path, design: Design, tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "model.npz", tmp_path / "b" / "model.npz"
    run("train", labelled, "--output", first, "--no-figures", "--quiet")
    run("train", labelled, "--output", second, "--no-figures", "--quiet")
    assert first.read_bytes() == second.read_bytes()
    model = load_model(first)
    z = model.score(TextFeatures(design.features.canonical, model.lexicon))
    assert auc(design.machine, z) > 0.95
    assert abs(z.std() - 1) < 0.3
    card = (tmp_path / "a" / "MODEL_CARD.model.md").read_text(encoding="utf-8")
    assert model.digest in card
    assert "| alpha | MIT | 90 | 80 | gpt-a, gpt-b |" in card


def test_evaluate_reports_and_writes_scores(labelled: Path, tmp_path: Path) -> None:
    scores = tmp_path / "scores.jsonl"
    report = json.loads(
        run("evaluate", labelled, "--audits", "--fold", "beta", "--scores", scores, "--json", "--quiet")
    )
    (figures,) = report["folds"]
    assert (figures["human"], figures["machine"]) == (90, 80)
    assert figures["auc"] > 0.95
    assert figures["attacked"]["chat, dipper"]["n"] == 10
    assert figures["audits"]["punctuation_only"] < 0.8 < figures["auc"]
    rows = [json.loads(line) for line in scores.read_text().splitlines()]
    assert len(rows) == 180
    assert {row["label"] for row in rows} == {"human", "ai"}
    assert sum(row["attack"] == "dipper" for row in rows) == 10
    assert all(row["fold"] == row["source"] == "beta" and row["language"] == "eng" for row in rows)


def test_a_finished_model_is_measured_by_source(labelled: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.npz"
    run("train", labelled, "--output", model, "--no-figures", "--quiet")
    report = json.loads(run("evaluate", labelled, "--model", model, "--json", "--quiet"))
    assert [(row["source"], row["trained_on"]) for row in report["sources"]] == [(name, True) for name in TOPICS]


def test_cheap_attacks_are_reported(labelled: Path) -> None:
    report = json.loads(run("evaluate", labelled, "--attacks", "--json", "--quiet"))
    found = {row["attack"]: row["recall"]["share"] for row in report["attacks"]}
    for attack in ("homoglyphs, 30 %", "zero-width spaces, 10 %", "white space"):
        assert found[attack] == pytest.approx(found["none"], abs=0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--head", "raw"], "at least 50"),
        (["--language", "deu"], "no row in deu"),
        (["--family", "gpt-a=other"], "GENERATOR=chat"),
        (["--licence", "alpha"], "SOURCE=LICENCE"),
    ],
)
def test_what_a_user_can_mend(labelled: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    output = ["--output", str(tmp_path / "m.npz"), "--no-figures"]
    done = CliRunner().invoke(cli, ["detectors", "train", str(labelled), *output, *arguments])
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
