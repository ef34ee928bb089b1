"""What a page itself says about being generated: standard metadata, AI tags, and signed manifests hidden in the text.

Sources: IPTC NewsCodes DigitalSourceType and schema.org `digitalSourceType`; C2PA 2.4 §A.8 (manifests in unstructured
text); the AI-Disclosure header draft (draft-abaris-aicdh); the Chinese labelling rule GB 45438-2025 (`AIGC` metadata).
Absence of a mark says nothing. A manifest says who signed, not that a machine wrote: it weighs only where it names
trainedAlgorithmicMedia. Weights are set by rule, in nats, and are not fitted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from detectors.ai_text.artefacts import is_quoted
from detectors.api import FeatureCache, Signals
from detectors.features.page_values import named_values
from schemas.evidence import Evidence

RULES_VERSION = 2

# Values of digitalSourceType, IPTC and schema.org spelling in lower case without `DigitalSource`, and their weight.
SOURCE_TYPES: dict[str, float] = {
    "trainedalgorithmicmedia": 6.0,
    "compositewithtrainedalgorithmicmedia": 2.0,  # a person edited, or a part is generated
    "algorithmicmedia": 1.0,  # by rule, not from training data
}
# Types whose source type is that of the text; a generated picture says nothing about it.
_TEXT_TYPES = (
    "article",
    "posting",
    "webpage",
    "creativework",
    "report",
    "answer",
    "comment",
    "review",
    "howto",
    "recipe",
)

# Meta names that state it, with the weight of a plain yes.
_AI_META = frozenset(
    {
        "ai-generated",
        "ai_generated",
        "aigenerated",
        "ai-content",
        "ai-generated-content",
        "generated-by-ai",
        "is-ai-generated",
    }
)
_DISCLOSURES = _AI_META | {"ai-disclosure", "ai-content-declaration"}
_MAKERS = frozenset({"generator", "author", "article:author"})
_YES = re.compile(
    r"(?:true|yes|1|full|fully|ai|ai-generated|ai-created|generated|ai-originated|machine-generated|autonomous)\Z"
)
_ASSISTED = re.compile(r"(?:ai-assisted|ai-modified|assisted|partial|partially|hybrid|mixed)\Z")
_AIGC_LABEL = re.compile(r"label\"?'?\s{0,4}[:=]\s{0,4}\"?'?([123])")
AI_META_WEIGHT = 6.0
ASSISTED_WEIGHT = 1.0

# Software or author named as such: the whole value, or the value up to a version.
GENERATOR_WEIGHT = 4.0

# Attributes of assistants' web pages that come along when an answer is pasted as HTML (`pipeline.extract.marks`). Soft,
# because they are not confirmed on crawl pages.
PASTED_MARKS = frozenset({"chatgpt_markup", "gemini_markup", "claude_markup"})
PASTED_WEIGHT = 1.5
_GENERATOR = re.compile(
    r"(?:openai\s|by\s)?(?:chat\s?gpt|gpt-?[345][\w.]{0,5}|openai|claude|google gemini|jasper(?:\.ai| ai)|copy\.ai|"
    r"writesonic|rytr|koala(?:writer| ai)|zimmwriter|autoblogging\.ai|byword(?:\.ai)?|"
    r"article forge|agility writer|contentbot)"
    r"(?:[\s/,;(].{0,40})?\Z"
)

_LOW, _HIGH = 0xFE00, 0xE0100
MANIFEST_MAGIC = "".join(chr(_LOW + b if b < 16 else _HIGH + b - 16) for b in b"C2PATXT\0")
MANIFEST_WEIGHT = 6.0
SIGNALS = frozenset(
    {
        "digital_source_type",
        "ai_meta",
        "ai_assisted_meta",
        "aigc_label",
        "ai_generator",
        "ai_author",
        "c2pa_manifest",
        "c2pa_manifest_broken",  # always a note
        *PASTED_MARKS,
    }
)
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]+")


class Finding(NamedTuple):
    """A mark before it has a row."""

    signal: str
    value: float
    weight: float | None
    start: int | None = None
    end: int | None = None


class AiPageMarks:
    """Statements of the page that its text is generated."""

    name = "ai_page_marks"
    version = 2
    columns = frozenset({"text", "page"})
    outputs: Mapping[str, pa.DataType] = {}

    def setup(self) -> None:
        """Nothing to load."""

    def parameters(self) -> Mapping[str, Any]:
        """The rules."""
        return {
            "rules_version": RULES_VERSION,
            "source_types": SOURCE_TYPES,
            "text_types": list(_TEXT_TYPES),
            "ai_meta": _AI_META,
            "patterns": [_YES.pattern, _ASSISTED.pattern, _AIGC_LABEL.pattern, _GENERATOR.pattern],
            "pasted": PASTED_MARKS,
            "weights": [AI_META_WEIGHT, ASSISTED_WEIGHT, GENERATOR_WEIGHT, PASTED_WEIGHT, MANIFEST_WEIGHT],
        }

    def __call__(self, batch: pa.RecordBatch, features: FeatureCache) -> Signals:
        """Findings of the batch."""
        evidence: list[Evidence] = []
        hidden = pc.match_substring_regex(batch.column("text"), MANIFEST_MAGIC).to_pylist()  # several times faster
        for row, (page, manifest) in enumerate(zip(features.column("page"), hidden, strict=True)):
            found: dict[str, Finding] = {}
            for finding in _page_findings(page or {}):
                old = found.get(finding.signal)
                if old is None or (finding.weight or 0.0) > (old.weight or 0.0):
                    found[finding.signal] = finding
            findings = list(found.values())
            if manifest:
                text = batch.column("text")[row].as_py()
                manifests = list(find_manifests(text))
                if len(manifests) > 1 or is_quoted(text, manifests[0].start or 0, manifests[0].end or 0):
                    manifests = [one._replace(weight=None) for one in manifests]  # examples: a text has one
                findings.extend(manifests)
            evidence.extend(Evidence(row, self.name, f.signal, f.value, f.weight, f.start, f.end) for f in findings)
        return Signals({}, evidence)


def _is_type(name: str) -> bool:
    return name.endswith(("@type", "digitalsourcetype"))


def _states_origin(name: str) -> bool:
    return name == "aigc" or name in _DISCLOSURES or name in _MAKERS or name.endswith("digitalsourcetype")


def _page_findings(page: Mapping[str, Any]) -> Iterator[Finding]:
    owner = ""  # structured data is in document order: what stands after a @type is mostly of that type
    for name, value in named_values(page.get("structured"), _is_type):
        if name.endswith("@type"):
            owner = value
        elif name.endswith("digitalsourcetype"):
            yield from _source_type(value, name.rpartition("digitalsourcetype")[0].strip(".:/") or owner)
    meta = named_values(page.get("meta"), _states_origin)
    for name, value in meta + named_values(page.get("headers"), _states_origin):
        if name.endswith("digitalsourcetype"):
            yield from _source_type(value, "")
        elif name in _DISCLOSURES:
            mode = value.partition("mode=")[2] or value
            mode = mode.partition(";")[0].partition(",")[0].strip(" \t\"'")
            if _YES.match(mode):
                yield Finding("ai_meta", 1.0, AI_META_WEIGHT)
            elif _ASSISTED.match(mode):
                yield Finding("ai_assisted_meta", 1.0, ASSISTED_WEIGHT)
        elif name == "aigc" and (label := _AIGC_LABEL.search(value[:2000])):
            yield Finding(
                "aigc_label", float(label.group(1)), AI_META_WEIGHT if label.group(1) == "1" else ASSISTED_WEIGHT
            )
        elif name in _MAKERS and _GENERATOR.match(value.strip()):
            yield Finding(f"ai_{name.rpartition(':')[2]}", 1.0, GENERATOR_WEIGHT)
    for mark in page.get("marks") or ():
        if mark and mark["name"] in PASTED_MARKS and (mark["count"] or 0) > 0:
            yield Finding(mark["name"], float(mark["count"]), PASTED_WEIGHT)
    generator = (page.get("generator") or "").strip().lower()
    if _GENERATOR.match(generator):
        yield Finding("ai_generator", 1.0, GENERATOR_WEIGHT)


def _source_type(value: str, owner: str) -> Iterator[Finding]:
    """A stated source type: a note where its owner is not a text, for example a picture on the page."""
    kind = value.rstrip("/").rpartition("/")[2].removesuffix("digitalsource")
    weight = SOURCE_TYPES.get(kind)
    if weight is not None:
        is_text = not owner or any(word in owner for word in _TEXT_TYPES)
        yield Finding("digital_source_type", 1.0, weight if is_text else None)


def find_manifests(text: str) -> Iterator[Finding]:
    """C2PA manifests in the text, as runs of variation selectors that begin with the magic; spans cover the run.

    `c2pa_manifest` where the stated length is there, else `c2pa_manifest_broken`. Signatures are not verified.
    """
    position, count = text.find(MANIFEST_MAGIC), 0
    while position >= 0 and count < 8:
        run = _SELECTORS.match(text, position)
        assert run is not None
        data = bytes(ord(c) - _LOW if ord(c) < _HIGH else ord(c) - _HIGH + 16 for c in run.group())
        complete = len(data) >= 13 and len(data) - 13 >= int.from_bytes(data[9:13], "big") > 0
        generated = b"/trainedAlgorithmicMedia" in data
        yield Finding(
            "c2pa_manifest" if complete else "c2pa_manifest_broken",
            float(len(data)),
            MANIFEST_WEIGHT if complete and generated else None,
            position,
            run.end(),
        )
        position, count = text.find(MANIFEST_MAGIC, run.end()), count + 1
