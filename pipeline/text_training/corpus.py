"""Labelled text for the AI heads: rows of JSON lines, what each counts as, and which rows share a document.

A row has `id`, `text`, `label` (`human`, `ai`, `human_edited_by_machine`), `generator`, `lang`, `domain`, `source`, and
optionally `attack`, `prompt_type` and `pair_id`. Rules:

- The second row with an id, and the second with a text, is dropped.
- `human_edited_by_machine` is neither class: such rows are reported apart.
- A row is attacked where `attack` says so, and where `prompt_type` names an adversarial or paraphrase prompt; attacked
  rows never train, and are reported by attack.
- Rows of translation test sets (`segs` in the place of `text`) count as human where they are `human_original`; others
  are left out.
- `shares_with` lists other sources with which a row shares documents or prompts: left out together.
- Chat models and raw language models are different classes: `family_of`.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.language_codes import ISO_639_3

CHAT: Final = "chat"
RAW: Final = "raw"
HUMAN: Final = "human"
EDITED: Final = "edited"

# Language models without instruction tuning, and T5 models tuned on tasks, whose text is nearer to those than to chat.
# A generator is raw if its name contains one of these, and chat otherwise.
RAW_NAMES: Final = (
    "gpt2", "gpt-2", "gpt-j", "gptj", "gpt-neo", "gptneo", "neox", "opt-", "opt_", "llama-7b", "llama_7b",
    "gpt-3-175b-base", "gpt-3.5/davinci", "text-babbage", "text-curie", "babbage", "curie", "bloom", "flan-t5",
    "flan_t5", "t0-", "pythia", "falcon-7b-base", "cerebras", "xlnet", "ctrl", "grover", "transfo", "luminous", "-base",
)  # fmt: skip
_CHAT_FIRST: Final = (
    "chat",
    "instruct",
    "assistant",
    "sft",
    "text-davinci",
    "alpaca",
    "vicuna",
    "guanaco",
    "dolly",
)  # chat although a raw name is in it
_ATTACKED_PROMPTS: Final = ("adversarial", "paraphrase_back", "paraphrase_dipper")
_NO_ATTACK: Final = ("", "none", "null", "clean")


class CorpusError(ValueError):
    """A file that cannot be used; the message says which line and why."""


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled text. `family` is human, edited, chat or raw; `group` the unit of balance."""

    id: str
    text: str
    family: str
    generator: str
    language: str  # ISO 639-3
    domain: str
    source: str
    attack: str  # "" = clean
    pair: str  # rows with one pair share a document
    licence: str = ""
    shares: tuple[str, ...] = ()  # sources with which it shares documents or prompts
    group: str = ""

    @property
    def machine(self) -> bool:
        """Written by a model from scratch."""
        return self.family in (CHAT, RAW)


def family_of(generator: str, overrides: Mapping[str, str] | None = None) -> str:
    """`chat` or `raw`; `overrides` maps names of generators to one of them."""
    if overrides and generator in overrides:
        return overrides[generator]
    name = generator.lower()
    if any(part in name for part in _CHAT_FIRST):
        return CHAT
    return RAW if any(part in name for part in RAW_NAMES) else CHAT


def read_rows(paths: Iterable[Path], overrides: Mapping[str, str] | None = None) -> list[Row]:
    """All rows of the files, deduplicated.

    Raises:
        CorpusError: a line is no JSON object, or lacks a field.
    """
    found: list[Row] = []
    ids: set[str] = set()
    texts: set[int] = set()
    for path in paths:
        for number, record in _records(path):
            try:
                row = _row(record, path, overrides)
            except (KeyError, TypeError, AttributeError) as error:
                raise CorpusError(f"{path}, line {number}: lacks or spoils a field ({error})") from None
            if row is None or row.id in ids or (key := hash(row.text)) in texts:
                continue
            ids.add(row.id)
            texts.add(key)
            found.append(row)
    return found


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    opener = lzma.open if path.suffix == ".xz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise CorpusError(f"{path}, line {number}: no JSON object")
                yield number, record
    except (OSError, UnicodeDecodeError, lzma.LZMAError, json.JSONDecodeError, EOFError) as error:
        raise CorpusError(f"{path}: cannot be read ({error})") from None


def _row(record: Mapping[str, Any], path: Path, overrides: Mapping[str, str] | None) -> Row | None:
    label = record["label"]
    if "segs" in record:  # a translation test set
        if label != "human_original":
            return None
        text, label, generator = " ".join(record["segs"]), "human", "human"
        source = path.name.split(".")[0].rstrip("0123456789")
        pair = f"{source}:{record['doc_id']}"
    else:
        text, generator, source = record["text"], record.get("generator") or "human", record["source"]
        pair = f"{source}:{record.get('pair_id') or record['id']}"
    prompt = str(record.get("prompt_type") or "")
    attack = str(record.get("attack") or "")
    if attack.lower() in _NO_ATTACK:
        attack = prompt if prompt.startswith(_ATTACKED_PROMPTS) else ""
    machine = RAW if record.get("head") == RAW else family_of(generator, overrides)
    family = {"human": HUMAN, "ai": machine, "human_edited_by_machine": EDITED}.get(label)
    if family is None:
        raise KeyError(f"label {label!r}")
    if family == EDITED and not attack:
        attack = prompt or "edited"
    language = record["lang"]
    domain = str(record.get("domain") or "")
    return Row(
        record["id"], text, family, generator, ISO_639_3.get(language, language), domain, source, attack, pair,
        str(record.get("licence") or ""), tuple(record.get("shares_with") or ()),
    )  # fmt: skip


def with_groups(rows: Sequence[Row], least: int = 100) -> list[Row]:
    """Rows with their group: source, or source:domain where a source has domains with `least` clean rows a class."""
    counts: dict[tuple[str, str, bool], int] = {}
    for row in rows:
        if not row.attack:
            key = (row.source, row.domain, row.machine)
            counts[key] = counts.get(key, 0) + 1
    large = {
        (source, domain)
        for source, domain, machine in counts
        if machine and counts[source, domain, True] >= least and counts.get((source, domain, False), 0) >= least
    }
    several = {s for s, _ in large if sum(source == s for source, _ in large) > 1}
    return [
        replace(row, group=f"{row.source}:{row.domain}" if (row.source, row.domain) in large and row.source in several
                else row.source)
        for row in rows
    ]  # fmt: skip


def joined_documents(
    hashes: npt.NDArray[np.uint64], bounds: npt.NDArray[np.int64], pairs: Sequence[str], shared: int = 3, width: int = 8
) -> npt.NDArray[np.int64]:
    """Number of the document of each row: rows of a pair, and rows that share `shared` runs of `width` words, are one.

    `hashes[bounds[i]:bounds[i + 1]]` are the word hashes of row i.
    """
    parent = np.arange(len(pairs))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    first: dict[str, int] = {}
    for i, pair in enumerate(pairs):
        parent[root(i)] = root(first.setdefault(pair, i))
    runs, owner = _runs(hashes, bounds, width)
    order = np.argsort(runs, kind="stable")
    runs, owner = runs[order], owner[order]
    same = np.flatnonzero(runs[1:] == runs[:-1])
    links = np.stack((owner[same], owner[same + 1]), 1)
    links = links[links[:, 0] != links[:, 1]]
    links.sort(1)
    if len(links):
        edges, times = np.unique(links, axis=0, return_counts=True)
        for a, b in edges[times >= shared].tolist():
            parent[root(a)] = root(b)
    return np.array([root(i) for i in range(len(pairs))], np.int64)


def _runs(
    hashes: npt.NDArray[np.uint64], bounds: npt.NDArray[np.int64], width: int
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Distinct runs of `width` words and the rows that they are in."""
    mixed = np.zeros(max(len(hashes) - width + 1, 0), np.uint64)
    for step in range(width):
        mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + hashes[step : len(hashes) - width + 1 + step]
    owner = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))[: len(mixed)]
    within = np.repeat(bounds[1:], np.diff(bounds))[: len(mixed)] - np.arange(len(mixed)) >= width
    mixed, owner = mixed[within], owner[within]
    order = np.lexsort((owner, mixed))
    mixed, owner = mixed[order], owner[order]
    fresh = np.ones(len(mixed), np.bool_)
    fresh[1:] = (mixed[1:] != mixed[:-1]) | (owner[1:] != owner[:-1])
    return mixed[fresh], owner[fresh]
