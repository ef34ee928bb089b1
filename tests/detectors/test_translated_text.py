"""Translated text: laws, languages without a model, short text, scripts, determinism; files, folds, training."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from detectors.api import FeatureCache, fingerprint, run_detectors
from detectors.features.forest import ModelError
from detectors.language import Language
from detectors.laws import check_laws, hostile_batches, make_batch
from detectors.machine_translation.model_file import file_bytes, models_of, read_models
from detectors.machine_translation.text import MODEL, TranslatedText, least_words
from pipeline.cli import cli
from pipeline.text_training.corpus import CorpusError
from pipeline.text_training.translation_corpus import make_design, read_translations, specs_of
from pipeline.text_training.translation_protocol import folds, measure_hosts, same_content

COLUMNS = ("translation_score", "machine_translation_score")
# Syllables of invented words: texts have the statistics of a language and no meaning.
SYLLABLES = ["ba", "der", "un", "ste", "gen", "lich", "ver", "mo", "ta", "ren", "sch", "ein"]
CHARACTERS = "的一是在不了有和人这中大为上个国我以要他时来用们"


def invent(seed: str, words: int = 90, habit: str = "", unspaced: bool = False) -> str:
    """A text of invented words; `habit` comes in between now and then."""
    source = random.Random(seed)
    found = []
    for place in range(words):
        if unspaced:
            found.append("".join(source.choices(CHARACTERS, k=3)))
        else:
            found.append("".join(source.choices(SYLLABLES, k=source.randint(1, 3))))
        if habit and place % 6 == 3:
            found.append(habit)
        if place % 12 == 11:
            found[-1] += "。" if unspaced else "."
    return ("" if unspaced else " ").join(found)


def corpus(path: Path, language: str = "de", documents: int = 120, parts: tuple[str, ...] = ("a", "b")) -> Path:
    """Labelled translations in which originals, human and machine translations have a habit each."""
    rows = []
    for number in range(documents):
        part = parts[number % len(parts)]
        given = [("human_original", "", "zumal", f"o{number}"), ("human_translation", "refA", "hierzu", f"t{number}")]
        given += [("mt", f"system{s}", "bezüglich", f"t{number}") for s in range(3)]
        for label, system, habit, document in given:
            text = invent(f"{language}{label}{system}{number}", habit=habit, unspaced=language == "zh")
            rows.append(
                {"id": f"{document}-{system}", "lang": language, "label": label, "system": system, "doc_id": document,
                 "orig_lang": language if label == "human_original" else "en", "set": part, "domain": "news",
                 "segs": text.split(". "), "licence": "CC0-1.0"}
            )  # fmt: skip
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with both heads for German and one for Chinese, trained by the command."""
    folder = tmp_path_factory.mktemp("translation")
    german, chinese = corpus(folder / "de.jsonl"), corpus(folder / "zh.jsonl", "zh")
    output = folder / "models.npz"
    for head, language, source in (
        ("translated", "deu", german), ("machine", "deu", german), ("machine", "zho", chinese)
    ):  # fmt: skip
        given = ["detectors", "train", str(source), "--head", head, "--language", language, "--output", str(output)]
        result = CliRunner().invoke(cli, [*given, "--no-figures", "--quiet"])
        assert result.exit_code == 0, result.output
    return output


def scores(detector: TranslatedText, rows: list[dict[str, Any]], languages: list[str | None] | None) -> dict[str, Any]:
    batch = make_batch(rows)
    features = FeatureCache(batch)
    if languages is not None:
        features.put("signal:language", pa.array(languages, pa.string()))
    signals = detector(batch, features)
    assert signals.evidence == ()
    return {name: signals.columns[name].to_pylist() for name in COLUMNS}


class Labelled(TranslatedText):
    """Declares one language for every row, so that the laws reach the models."""

    def __call__(self, batch: pa.RecordBatch, features: FeatureCache) -> Any:
        features.put("signal:language", pa.array(["deu_Latn"] * batch.num_rows, pa.string()))
        return super().__call__(batch, features)


def test_laws_where_models_apply(trained: Path) -> None:
    detector = Labelled(str(trained))
    check_laws(detector, processes=False)
    batch = hostile_batches()[1]
    assert detector(batch, FeatureCache(batch)).columns["translation_score"].null_count < batch.num_rows


def test_habits_are_told(trained: Path) -> None:
    detector = TranslatedText(str(trained))
    texts = [invent(f"new{i}", habit=habit) for habit in ("zumal", "hierzu", "bezüglich") for i in range(12)]
    found = scores(detector, [{"text": text} for text in texts], ["deu_Latn"] * len(texts))
    translation, machine = np.array(found[COLUMNS[0]]), np.array(found[COLUMNS[1]])
    assert translation[:12].max() < translation[12:].min()
    assert machine[12:24].max() < machine[24:].min()
    assert 0 <= translation.min() <= translation.max() <= 1


def test_null_without_a_model_of_the_language(trained: Path) -> None:
    text = invent("one")
    found = scores(TranslatedText(str(trained)), [{"text": text}] * 4, ["deu_Latn", "fra_Latn", None, "zho_Hans"])
    assert [value is None for value in found["translation_score"]] == [False, True, True, True]
    assert [value is None for value in found["machine_translation_score"]] == [False, True, True, False]


def test_null_where_no_language_is_published(trained: Path) -> None:
    found = scores(TranslatedText(str(trained)), [{"text": invent("one")}], None)
    assert found == {name: [None] for name in COLUMNS}


@pytest.mark.parametrize(("language", "unspaced"), [("deu", False), ("zho", True)])
def test_null_in_short_text(trained: Path, language: str, unspaced: bool) -> None:
    short, enough = (invent("s", words, unspaced=unspaced) for words in ((30, 72) if not unspaced else (20, 60)))
    found = scores(TranslatedText(str(trained)), [{"text": short}, {"text": enough}, {"text": None}], [language] * 3)
    assert [value is None for value in found["machine_translation_score"]] == [True, False, True]


def test_scripts_without_spaces_need_a_hundred_letters() -> None:
    assert (least_words("zho") * 5 // 2, least_words("jpn"), least_words("deu")) == (100, 40, 50)
    assert specs_of("zho") != specs_of("deu")


def test_a_row_scores_the_same_in_any_batch(trained: Path) -> None:
    detector = TranslatedText(str(trained))
    texts = [invent(f"r{i}", 60 + 7 * i) for i in range(9)] + ["x", ""]
    whole = scores(detector, [{"text": text} for text in texts], ["deu"] * len(texts))
    alone = [scores(detector, [{"text": text}], ["deu"])["translation_score"][0] for text in texts]
    assert whole["translation_score"] == alone


def test_hidden_characters_and_typography_change_nothing(trained: Path) -> None:
    detector = TranslatedText(str(trained))
    text = 'Er sagte: "Nun" - und ging... ' + invent("typography")
    changed = text.replace('"Nun"', "„Nun“").replace(" - ", " – ").replace("der", "d\u200ber").replace("...", "…")
    first, second = scores(detector, [{"text": text}, {"text": changed}], ["deu"] * 2)["translation_score"]
    assert first == second


def test_reads_the_language_detector() -> None:
    prose = "Der Fluss kommt aus den Bergen, und die Stadt lebt seit langer Zeit von ihm und von seinen Schiffen. " * 8
    signals = run_detectors([Language(), TranslatedText()], make_batch([{"text": prose}]))
    shipped = ("translated", "deu") in TranslatedText().models.models
    assert (signals.columns["translation_score"].null_count == 0) == shipped


def test_training_again_gives_the_same_bytes(trained: Path, tmp_path: Path) -> None:
    german = corpus(tmp_path / "de.jsonl")
    made = []
    for name in ("one.npz", "two.npz"):
        given = ["detectors", "train", str(german), "--head", "machine", "--language", "deu", "--no-figures", "--quiet"]
        assert CliRunner().invoke(cli, [*given, "--output", str(tmp_path / name)]).exit_code == 0
        made.append(read_models(tmp_path / name).raw["machine", "deu"])
    assert made[0] == made[1] == read_models(trained).raw["machine", "deu"]


def test_the_fingerprint_follows_the_file(trained: Path) -> None:
    assert fingerprint(TranslatedText()) != fingerprint(TranslatedText(str(trained)))
    assert TranslatedText(str(trained)).parameters()["model"] == read_models(trained).digest


def test_the_card_names_the_shipped_file() -> None:
    models = read_models(MODEL)
    card = (MODEL.parent / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert models.digest in card
    assert MODEL.stat().st_size < 4 << 20
    for head, language in models.models:
        licences = {entry["licence"] for entry in models.models[head, language].meta["trained_on"]}
        assert licences <= {"CC-BY-SA-4.0", "CC-BY-SA-3.0", "CC-BY-4.0", "CC-BY-2.5", "CC0-1.0", "MIT",
                            "MIT OR Apache-2.0"}  # fmt: skip
        assert f"| {language} |" in card


def test_damaged_and_foreign_files_are_refused(trained: Path, tmp_path: Path) -> None:
    raw = trained.read_bytes()
    for spoiled in (raw[:1000], b"", raw.replace(b"translated.deu", b"translated.fra")):
        with pytest.raises(ModelError):
            models_of(spoiled)
    parts = read_models(trained).raw
    with pytest.raises(ModelError, match="is the model of"):
        models_of(file_bytes({("translated", "fra"): parts["translated", "deu"]}))
    with pytest.raises(ModelError, match="cannot be read"):
        read_models(tmp_path / "none.npz")


def test_rows_of_a_document_stay_together(tmp_path: Path) -> None:
    rows = read_translations([corpus(tmp_path / "de.jsonl")], frozenset({"deu"}))["deu"]
    design = make_design("deu", rows)
    assert design is not None
    for leave_out in ("document", "system", "year"):
        for fold in folds(design, "machine", leave_out):
            assert not set(design.document[fold.train].tolist()) & set(design.document[fold.test].tolist())
            if leave_out == "system":
                seen = set(design.system[fold.train].tolist()) - {"refA"}
                assert not seen & (set(design.system[fold.test].tolist()) - {"refA"})
            if leave_out == "year":
                assert not set(design.part[fold.train].tolist()) & set(design.part[fold.test].tolist())


def test_pairs_and_hosts_of_known_scores(tmp_path: Path) -> None:
    rows = read_translations([corpus(tmp_path / "de.jsonl", documents=150)], None)["deu"]
    design = make_design("deu", rows)
    assert design is not None
    used = design.used("machine")
    noise = np.random.default_rng(3).normal(size=len(used))
    perfect = noise * 0.01 + design.is_machine("machine")[used]
    assert same_content(design, used, perfect) == 1
    assert abs(same_content(design, used, noise) - 0.5) < 0.08
    hosts = {host["pages"]: host["auc"] for host in measure_hosts(design, used, noise + perfect)}
    assert hosts[1] < hosts[5] < hosts[20] <= 1
    assert hosts[20] > 0.97


def test_evaluate_prints_figures_and_writes_scores(tmp_path: Path) -> None:
    german, target = corpus(tmp_path / "de.jsonl"), tmp_path / "scores.jsonl"
    given = ["detectors", "evaluate", str(german), "--head", "machine", "--language", "all", "--quiet", "--json"]
    result = CliRunner().invoke(cli, [*given, "--leave-out", "system", "--audits", "--scores", str(target)])
    assert result.exit_code == 0, result.output
    (figures,) = json.loads(result.output)["languages"]
    assert figures["mean_auc"] > 0.95
    assert abs(figures["mean_shuffled_auc"] - 0.5) < 0.2
    rows = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert {row["label"] for row in rows} == {"human_translation", "mt"}
    assert {row["head"] for row in rows} == {"machine"}


def test_a_model_is_measured_as_it_is(trained: Path, tmp_path: Path) -> None:
    german, target = corpus(tmp_path / "de.jsonl"), tmp_path / "scores.jsonl"
    given = ["detectors", "evaluate", str(german), "--head", "translated", "--language", "all", "--quiet", "--json"]
    result = CliRunner().invoke(cli, [*given, "--model", str(trained), "--scores", str(target)])
    assert result.exit_code == 0, result.output
    parts = json.loads(result.output)["parts"]
    assert [(part["language"], part["part"]) for part in parts] == [("deu", "all"), ("deu", "a"), ("deu", "b")]
    rows = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == parts[0]["negative"] + parts[0]["positive"]


def test_a_language_that_fails_elsewhere_is_left_out(tmp_path: Path) -> None:
    german = corpus(tmp_path / "de.jsonl")
    text = german.read_text(encoding="utf-8")
    swapped = text.replace("human_original", "x").replace("human_translation", "human_original")
    other = tmp_path / "other.jsonl"
    other.write_text(swapped.replace('"x"', '"human_translation"'), encoding="utf-8")
    given = ["detectors", "train", str(german), "--head", "translated", "--language", "deu", "--no-figures", "--quiet"]
    given += ["--output", str(tmp_path / "m.npz"), "--also", str(other), "--least-auc", "0.7"]
    result = CliRunner().invoke(cli, given)
    assert result.exit_code == 2
    assert "nothing is written" in result.output
    assert not (tmp_path / "m.npz").exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [('{"id": "1"}', "lacks or spoils"), ("[1]", "lacks or spoils"), ("{", "cannot be read"),
     ('{"id": "1", "lang": "de", "label": "ai", "doc_id": "1", "text": "x"}', "label")],
)  # fmt: skip
def test_spoiled_rows_are_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=message):
        read_translations([path], None)
