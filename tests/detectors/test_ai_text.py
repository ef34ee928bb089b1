"""Scores of generated text: where they apply, what they depend on, and what ships."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from detectors.ai_text import text as ai_text
from detectors.ai_text.text import AiText
from detectors.api import FeatureCache, fingerprint
from detectors.features.forest import ModelError
from detectors.laws import make_batch

DATA = Path(ai_text.__file__).parent / "data"
PROSE = "We walked to the old mill by the river, and nobody said much until it began to rain on us. " * 8
MACHINE = (
    "In today's rapidly evolving world, it is important to recognize the crucial role that effective communication "
    "plays in fostering meaningful relationships. Additionally, individuals who embrace diverse perspectives are "
    "better equipped to navigate complex challenges. Furthermore, collaboration enhances innovation and promotes a "
    "sense of community. Overall, by prioritizing empathy and understanding, we can create a more inclusive and "
    "supportive environment for everyone involved. "
)
HUMAN = (
    "I got off the bus two stops early because my brother had the keys and he works at that garage behind the "
    "bakery. He wasn't there. Turned out he'd gone to buy cigarettes, which he swore he'd quit, and the other guy, "
    "Pete I think, just shrugged at me. So I sat on a tyre for half an hour. It was cold. When he came back he "
    "laughed, said I looked like a wet dog, and threw me the keys without stopping. "
)


def scores(rows: list[dict[str, Any]], languages: list[str | None] | None = None) -> dict[str, list[float | None]]:
    batch = make_batch(rows)
    features = FeatureCache(batch)
    if languages is not None:
        features.put("signal:language", pa.array(languages, pa.string()))
    return {name: values.to_pylist() for name, values in AiText()(batch, features).columns.items()}


def test_null_where_the_models_do_not_apply() -> None:
    rows = [{"text": text} for text in (PROSE, PROSE, PROSE, "Too short.", None)]
    found = scores(rows, ["eng_Latn", "deu_Latn", None, "eng_Latn", "eng_Latn"])
    for column in found.values():
        assert column[0] is not None
        assert 0 < column[0] < 1
        assert column[1:] == [None] * 4


def test_all_text_counts_without_a_language_detector() -> None:
    assert scores([{"text": PROSE}])["ai_text_score"][0] is not None


def test_direction() -> None:
    machine, human = scores([{"text": MACHINE}, {"text": HUMAN}])["ai_text_score"]
    assert machine is not None
    assert human is not None
    assert machine > 0.7
    assert human < 0.5


@pytest.mark.parametrize(
    "disguise",
    [
        lambda text: text.replace("e", "е").replace("o", "о"),
        lambda text: "\u200b".join(text),
        lambda text: text.replace(" ", "  \n", 9).replace("'", "’"),
        lambda text: f"# {text.replace('. ', '.')}",
    ],
)
def test_disguises_change_nothing(disguise: Any) -> None:
    plain, disguised = scores([{"text": MACHINE}, {"text": disguise(MACHINE)}])["ai_text_score"]
    assert plain == disguised


def test_text_behind_the_prefix_changes_nothing() -> None:
    long = PROSE * 40
    first, second = scores([{"text": long}, {"text": long + MACHINE * 1000}])["ai_text_score"]
    assert first == second


def test_cards_name_the_models_that_ship() -> None:
    for head, model in AiText().models.items():
        card = (DATA / f"MODEL_CARD.{head}.md").read_text(encoding="utf-8")
        assert re.search(r"sha256 ([0-9a-f]{64})", card)[1] == model.digest  # type: ignore[index]
        assert model.head == head
        for entry in model.meta["trained_on"]:
            assert f"| {entry['source']} |" in card


def test_what_ships_has_licences_and_is_small() -> None:
    for path in DATA.glob("*.npz"):
        assert path.stat().st_size < 2_000_000
    for model in AiText().models.values():
        assert all(entry["licence"] for entry in model.meta["trained_on"])


def test_fingerprint_follows_the_model(tmp_path: Path) -> None:
    assert fingerprint(AiText()) == fingerprint(AiText(chat_model=str(DATA / "chat.npz")))
    assert fingerprint(AiText()) != fingerprint(AiText(chat_model=str(DATA / "raw.npz")))
    assert pickle.loads(pickle.dumps(AiText())).paths == AiText().paths  # noqa: S301 (its own bytes)
    with pytest.raises(ModelError):
        AiText(chat_model=str(tmp_path / "none.npz")).setup()


def test_scores_are_the_same_in_a_new_process() -> None:
    program = (
        "import json, sys; sys.path.insert(0, sys.argv[1])\n"
        "from detectors.ai_text.text import AiText\n"
        "from detectors.api import FeatureCache\n"
        "from detectors.laws import make_batch\n"
        "batch = make_batch([{'text': t} for t in json.load(sys.stdin)])\n"
        "found = AiText()(batch, FeatureCache(batch)).columns\n"
        "print(json.dumps({name: values.to_pylist() for name, values in found.items()}))\n"
    )
    texts = [HUMAN, MACHINE, PROSE]
    root = str(DATA.parents[2])
    done = subprocess.run(
        [sys.executable, "-c", program, root], input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == scores([{"text": text} for text in texts])


def test_batches_do_not_matter() -> None:
    texts = [HUMAN, MACHINE, PROSE, MACHINE + HUMAN] * 20
    together = scores([{"text": text} for text in texts])["ai_text_score"]
    alone = [scores([{"text": text}])["ai_text_score"][0] for text in texts[:4]]
    assert together == alone * 20
    assert np.isfinite(np.array(together, np.float64)).all()
