"""The card of a translation head: what its models were made from, how good they are elsewhere, where they fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from detectors.machine_translation.model_file import MACHINE, TRANSLATED, TranslationModels
from detectors.machine_translation.text import MIN_WORDS_UNSPACED
from detectors.text_model.canonical import WORDS
from detectors.text_model.model import MIN_WORDS

_WHAT: Final = {
    TRANSLATED: "text that was translated, by a person or a machine, from text first written in its language",
    MACHINE: "machine translations from human translations",
}
_LIMITS: Final = """\
- **A score is no verdict.** Nothing is said of a page from these scores alone; they are counted beside page marks,
  parallel pages and hosts.
- **Topic follows origin.** Text that was translated is about other places and people than text that was not. Part of
  what tells them apart is that; the column without topics is measured with frequent words and the shape of the others
  alone.
- **Machine against human translation** does not carry over from one year of systems and agencies to the next: models
  learn agencies and systems. Machine translation that a person corrected counts as translated, and lies between.
- **Sources, not the web.** News, encyclopaedias, guides and treebanks were measured; shops, forums and
  advertising were not.
- Licences are those that the publishers state for the data; the models hold numbers and no text."""


def card_lines(
    file_name: str,
    head: str,
    models: TranslationModels,
    measured: Mapping[str, Mapping[str, Any]],
    refused: Sequence[Mapping[str, Any]],
    least_auc: float,
) -> list[str]:
    """Lines of a card. `measured` holds, by language, folds by document (`inside`) and other sources (`beyond`)."""
    lines = [
        f"# Model card: the {head} head",
        "",
        f"`{file_name}`, sha256 `{models.digest}` (with the models of all heads and languages in it). It tells",
        f"{_WHAT[head]}.",
        "",
        "Hashed n-grams of canonical text (`detectors/text_model`): one logistic regression for each kind, characters",
        "(2 to 4, in scripts without spaces 1 to 3) and words (1 to 2), each standardised on held-out documents, then",
        f"averaged. At most {WORDS} words are read; under {MIN_WORDS} words (without spaces {MIN_WORDS_UNSPACED}, of",
        "2.5 letters each) there is no score.",
        "",
        "## What the models were fitted to",
        "",
        "| language | source | licence | label | documents | systems |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for language in sorted(measured):
        for entry in models.models[head, language].meta["trained_on"]:
            systems = ", ".join(entry["systems"]) or "-"
            lines.append(
                f"| {language} | {entry['source']} | {entry['licence'] or '?'} | {entry['label']} | "
                f"{entry['documents']:,} | {systems} |"
            )
    lines += ["", "## How good they are on other sources", "", *_beyond(measured, head)]
    inside = {language: entry["inside"] for language, entry in measured.items() if entry["inside"]}
    if inside:
        lines += ["", "## How good they are on their own sources", "", *_inside(inside)]
    if refused:
        lines += [
            "",
            "## Languages without a model",
            "",
            f"Models were fitted for these too, and left out: an area of at least {least_auc} on other sources was",
            "asked for, and no such text was at hand (-) or the area was smaller.",
            "",
            "| language | area on other sources |",
            "| --- | --- |",
            *(f"| {entry['language']} | {_number(entry['auc'])} |" for entry in refused),
        ]
    return [*lines, "", "## Where they fail", "", _LIMITS]


def _beyond(measured: Mapping[str, Mapping[str, Any]], head: str) -> list[str]:
    extra = "same content" if head == MACHINE else "human translations alone"
    key = "pairs" if head == MACHINE else "human_only_auc"
    rows = [
        f"| {language} | {entry['part']} | {entry['negative']} | {entry['positive']} | {_number(entry['auc'])} ± "
        f"{_number(entry['auc_error'])} | {_number(entry[key])} | {entry['recall_own_threshold']['share']:.3f} |"
        for language in sorted(measured)
        for entry in measured[language]["beyond"]
    ]
    if not rows:
        return ["Not measured."]
    return [
        "Labelled text that no part of the models was fitted to. Recall is at 1 % false positives on its own negative",
        "side.",
        "",
        f"| language | part | negative | positive | AUC | {extra} | recall |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *rows,
    ]


def _inside(inside: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [
        "Documents left out of the training sources. These figures flatter: a class has its sources, and they show.",
        "",
        "| language | AUC | without topics | shuffled labels |",
        "| --- | --- | --- | --- |",
        *(
            f"| {language} | {_number(found.get('mean_auc'))} | {_number(found.get('mean_topic_free_auc'))} | "
            f"{_number(found.get('mean_shuffled_auc'))} |"
            for language, found in sorted(inside.items())
        ),
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
