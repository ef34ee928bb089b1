"""Residue of chatbots left in text: refusals, knowledge cut-offs, citation markup, placeholders, interface words.

Source: Wikipedia, "Signs of AI writing" (the maintained list), and the phrases that studies of ChatGPT residue in
papers and shop pages search for. Recall is tiny; precision rests on the guard: a page ABOUT
chatbots has the same words. Links with the parameter that ChatGPT adds to the addresses that it cites are counted by
extraction (mark `chatgpt_link`); a page that was itself fetched from such a link repeats the parameter, and is a note.

Guard (`GUARD`): a phrase between quotation marks is a note (weight null). Otherwise words about AI elsewhere on the
page (title included, the sentence after the phrase not) are counted: one or two leave a soft weight of at most
`REDUCED_NATS`, three or more make it a note. Weights are set by rule, in nats, and are not fitted.

Cost: the token array and one small RE2 pass find the rows to look at; normal pages see no Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from detectors.api import FeatureCache, Signals
from detectors.features.phrases import PhraseIndex, index_phrases
from detectors.features.shapes import MARKDOWN, rows_with
from schemas.evidence import Evidence

RULES_VERSION = 2
REDUCED_NATS = 1.0
NOTE_FROM_MENTIONS = 3
MARKDOWN_WEIGHT = 0.5  # soft: converters and READMEs leave it as well
MARKDOWN_LEAST = 3
GUARD_CHARACTERS = 200_000  # of the text, around which words about AI are counted


@dataclass(frozen=True, slots=True)
class Artefact:
    """A kind of residue: literals in lower case, and / or a pattern without nested quantifiers, on the text lowered.

    `scope` is `anywhere`, `start` (the first line of the text begins with it) or `line` (it is the whole line).
    `markup` never occurs in prose, so quotation marks do not guard it.
    """

    name: str
    weight: float
    phrases: tuple[str, ...] = ()
    pattern: str = ""
    scope: str = "anywhere"
    markup: bool = False


CHAT_LINK = Artefact("chat_link", 1.5, ("utm_source=chatgpt.com", "utm_source=openai"), markup=True)
LINK_MARK = "chatgpt_link"  # of pipeline.extract.marks

ARTEFACTS: tuple[Artefact, ...] = (
    Artefact(
        "self_reference",
        6.0,
        (
            "as an ai language model",
            "as a large language model, i",
            "as an ai assistant, i",
            "as an ai model, i",
            "as an artificial intelligence, i",
            "i'm just an ai",
            "i am an ai language model",
            "als ki-sprachmodell",
            "als ki-modell ",
            "als künstliche intelligenz habe ich",
            "als künstliche intelligenz kann ich",
            "en tant que modèle de langage",
            "en tant que modèle linguistique",
            "en tant qu'intelligence artificielle, je",
            "en tant qu'ia, je",
            "como modelo de lenguaje",
            "como modelo de ia",
            "como inteligencia artificial, no",
            "come modello linguistico",
            "come modello di linguaggio",
            "in quanto modello linguistico",
            "come intelligenza artificiale, non",
            "como modelo de linguagem",
            "como um modelo de linguagem",
            "como inteligência artificial, não",
            "как языковая модель",
            "как языковой модели",
            "как искусственный интеллект, я",
            "作为一个人工智能语言模型",
            "作为一个ai语言模型",
            "作为ai语言模型",
            "作为人工智能语言模型",
            "作为一个语言模型",
            "作為一個人工智慧語言模型",
            "作為ai語言模型",
            "作為一個ai語言模型",
        ),
    ),
    Artefact(
        "knowledge_cutoff",
        6.0,
        (
            "my knowledge cutoff",
            "my knowledge cut-off",
            "as of my last knowledge update",
            "as of my last training update",
            "as of my last update in",
            "my training data only goes",
            "mein wissensstand reicht bis",
            "mes connaissances s'arrêtent",
            "mi conocimiento se limita hasta",
            "le mie conoscenze si fermano",
            "meu conhecimento vai até",
            "мои знания ограничены",
            "我的知识截止",
            "我的知識截止",
        ),
    ),
    Artefact(
        "refusal",
        4.5,
        (
            "i cannot fulfill this request",
            "i cannot fulfill that request",
            "i cannot fulfill your request",
            "i can't fulfill this request",
            "i can't fulfill that request",
            "i'm sorry, but i cannot fulfill",
            "i'm sorry, but i can't assist with",
            "i'm sorry, but i cannot assist with",
            "i'm sorry, but i cannot provide",
            "i'm sorry, but i cannot generate",
            "i apologize, but i cannot provide",
            "i apologize, but i cannot generate",
            "this goes against openai",
            "es tut mir leid, aber ich kann diese anfrage nicht",
            "je suis désolé, mais je ne peux pas répondre à cette demande",
            "lo siento, pero no puedo cumplir con esa solicitud",
            "lo siento, pero no puedo ayudar con esa solicitud",
            "mi dispiace, ma non posso soddisfare questa richiesta",
            "desculpe, mas não posso atender a esse pedido",
            "извините, но я не могу выполнить этот запрос",
            "很抱歉，我无法满足",
            "抱歉，我无法提供",
        ),
    ),
    Artefact(
        "chat_markup",
        8.0,
        ("oaicite", "contentreference[oaicite", "grok_card", "attributableindex"),
        r"\b(?:cite)?turn\d{1,3}(?:search|news|view|image|file|forecast|finance|academia|reddit|fetch)\d{1,3}",
        markup=True,
    ),
    Artefact(
        "interface_words",
        4.0,
        ("regenerate response", "regenerate the response", "is this conversation helpful so far?"),
        scope="line",
    ),
    Artefact(
        "chat_opening",
        4.5,
        ("certainly! here is", "certainly! here's", "certainly! here are", "certainly, here is", "certainly, here are"),
        scope="start",
    ),
    Artefact(
        "chat_opening_weak",
        2.5,
        (
            "sure! here is",
            "sure! here's",
            "sure! here are",
            "sure, here is",
            "of course! here is",
            "of course! here's",
            "absolutely! here is",
            "absolutely! here's",
        ),
        scope="start",
    ),
    # Templates by people have these too.
    Artefact("placeholder", 1.5, pattern=r"\[(?:insert|enter|add) [a-z' /-]{1,40}\]|\[your (?:full )?name(?: here)?\]"),
    CHAT_LINK,
)

_BOLD = r"\*\*[^\s*][^*\n]{0,80}\*\*"  # without one of these, lines that begin with ## are comments of a shell
_MARKDOWN = _BOLD + r"|(?m:^#{2,4} \S)"

ABOUT_AI = re.compile(
    r"chat ?gpt|openai|\bgpt-?[345]|\bllms?\b|language models?\b|chatbots?\b|\bprompts?\b|generative ai|"
    r"artificial intelligence|\bai[- ](?:generated|written|tools?|text|content|models?|assistants?)\b|"
    r"\bgemini\b|\bclaude\b|\bcopilot\b|künstliche[rn]? intelligenz|\bki-|sprachmodell|intelligence artificielle|"
    r"modèles? de langage|inteligencia artificial|modelos? de lengua|intelligenza artificiale|modell[oi] linguistic|"
    r"inteligência artificial|modelos? de linguagem|искусственн\w{1,4} интеллект|нейросет|языков\w{1,4} модел|"
    r"人工智能|人工智慧|语言模型|語言模型|聊天机器人"
)
_SENTENCE_END = re.compile(r"[.!?\n。！？]")
_OPENING, _CLOSING = "“«„「『‹", "”»“」』›"


# What the index of phrases cannot know: residue within a word, and forms of many. A superset of the patterns above.
_PREFILTER = r"turn\d{1,3}[a-z]{4,8}\d|oaicite|utm_source=(?:chatgpt|openai)|\[(?i:insert|enter|add|your) "


@lru_cache(maxsize=1)
def _index() -> PhraseIndex:
    return index_phrases([phrase for one in ARTEFACTS for phrase in one.phrases])


class Artefacts:
    """Findings of `ARTEFACTS` with the span of the first occurrence; `value` counts the occurrences."""

    name = "ai_artefacts"
    version = 2
    columns = frozenset({"text", "title", "page", "url"})
    outputs: Mapping[str, pa.DataType] = {}

    def setup(self) -> None:
        """Nothing to load."""

    def parameters(self) -> Mapping[str, Any]:
        """The rules."""
        return {
            "rules_version": RULES_VERSION,
            "artefacts": list(ARTEFACTS),
            "about": ABOUT_AI.pattern,
            "link": [LINK_MARK, CHAT_LINK.weight],
            "markdown": [_MARKDOWN, MARKDOWN_WEIGHT, MARKDOWN_LEAST],
            "guard": [REDUCED_NATS, NOTE_FROM_MENTIONS, GUARD_CHARACTERS],
        }

    def __call__(self, batch: pa.RecordBatch, features: FeatureCache) -> Signals:
        """Findings of the batch."""
        evidence: list[Evidence] = []
        texts, titles = batch.column("text"), batch.column("title")
        suspects = pc.match_substring_regex(texts, _PREFILTER).to_pylist()
        for row, _, _ in _index().find(features):
            suspects[row] = True
        rows = rows_with(MARKDOWN, features)
        counts = pc.count_substring_regex(texts.take(pa.array(rows, pa.int64())), _MARKDOWN)
        marked = dict(zip(rows, counts.to_pylist(), strict=True))
        from_html = batch.column("page").is_valid().to_pylist()
        pages, urls = features.column("page"), features.column("url")
        for row, suspect in enumerate(suspects):
            found: set[str] = set()
            if suspect:
                for signal, value, weight, start, end in find_artefacts(texts[row].as_py(), titles[row].as_py()):
                    found.add(signal)
                    evidence.append(Evidence(row, self.name, signal, value, weight, start, end))
            if (links := _cited_links(pages[row])) and CHAT_LINK.name not in found:
                text, title = texts[row].as_py() or "", titles[row].as_py() or ""
                weight = _guarded(CHAT_LINK.weight, _mentions(lower_same_length(text), title.lower(), []))
                if any(phrase in (urls[row] or "") for phrase in CHAT_LINK.phrases):
                    weight = None
                evidence.append(Evidence(row, self.name, CHAT_LINK.name, float(links), weight))
            if (marked.get(row) or 0) >= MARKDOWN_LEAST and from_html[row]:
                text = texts[row].as_py()
                first = re.search(_MARKDOWN, text)
                if first is not None and re.search(_BOLD, text):
                    span = first.span()
                    weight = _markdown_weight(text, titles[row].as_py())
                    evidence.append(Evidence(row, self.name, "markdown", float(marked[row]), weight, *span))
        return Signals({}, evidence)


def _markdown_weight(text: str, title: str | None) -> float | None:
    """A page about Markdown or about AI shows it."""
    low, name = lower_same_length(text[:GUARD_CHARACTERS]), (title or "").lower()
    if "markdown" in low or "markdown" in name:
        return None
    return _guarded(MARKDOWN_WEIGHT, _mentions(low, name, []))


def _cited_links(page: Mapping[str, Any] | None) -> int:
    """Links of the page that say that they come from ChatGPT."""
    marks = (page or {}).get("marks") or ()
    return max((int(mark["count"] or 0) for mark in marks if mark and mark["name"] == LINK_MARK), default=0)


def _guarded(weight: float, mentions: int) -> float | None:
    """What is left of a weight on a page with so many words about AI."""
    if mentions >= NOTE_FROM_MENTIONS:
        return None
    return min(weight, REDUCED_NATS) if mentions else weight


def lower_same_length(text: str) -> str:
    """The text in lower case with every character in its place, and curly apostrophes straight."""
    low = text.lower()
    if len(low) != len(text):
        low = "".join(c if len(c.lower()) != 1 else c.lower() for c in text)
    return low.replace("’", "'")


def find_artefacts(text: str, title: str | None = None) -> Iterator[tuple[str, float, float | None, int, int]]:
    """(artefact, occurrences, weight or None, start, end of the first that is not quoted, else of the first)."""
    low = lower_same_length(text)
    hits = {artefact.name: sorted(_spans(artefact, low)) for artefact in ARTEFACTS}
    found = [(*span, not artefact.markup) for artefact in ARTEFACTS for span in hits[artefact.name]]
    if not found:
        return
    mentions = _mentions(low, (title or "").lower(), found)
    for artefact in ARTEFACTS:
        spans = hits[artefact.name]
        if not spans:
            continue
        bare = spans if artefact.markup else [span for span in spans[:64] if not is_quoted(low, *span)]
        weight = _guarded(artefact.weight, mentions) if bare else None
        start, end = (bare or spans)[0]
        yield artefact.name, float(len(spans)), weight, start, end


def _spans(artefact: Artefact, low: str) -> Iterator[tuple[int, int]]:
    """Occurrences of an artefact, at most 1,000 of each phrase."""
    for phrase in artefact.phrases:
        position, count = low.find(phrase), 0
        while position >= 0 and count < 1000:
            end = position + len(phrase)
            if _in_scope(artefact.scope, low, position, end):
                yield position, end
                count += 1
            position = -1 if artefact.scope == "start" else low.find(phrase, end)
    if artefact.pattern:
        for count, match in enumerate(re.finditer(artefact.pattern, low)):
            if count >= 1000:
                break
            yield match.span()


def _in_scope(scope: str, low: str, start: int, end: int) -> bool:
    if scope == "start":
        return start <= 200 and not low[:start].strip()
    if scope == "line":
        line_start = low.rfind("\n", 0, start) + 1
        line_end = low.find("\n", end)
        return not low[line_start:start].strip() and not low[end : len(low) if line_end < 0 else line_end].strip()
    return True


def is_quoted(low: str, start: int, end: int) -> bool:
    """Whether the span stands within quotation marks or a code span opened on its line, up to 200 characters before."""
    line_start = max(low.rfind("\n", 0, start) + 1, start - 200)
    before = low[line_start:start]
    if before.count('"') % 2 or before.count("`") % 2:
        return True
    opened = max(before.rfind(c) for c in _OPENING)
    if opened >= 0 and opened >= max(before.rfind(c) for c in _CLOSING):
        return True
    return before.endswith(("'", "‘")) and not before[-2:-1].isalnum()


def _mentions(low: str, title: str, spans: list[tuple[int, int, bool]]) -> int:
    """Words about AI outside the spans and, where the third value says so, the rest of the sentences they are in."""
    pieces, position = [title], 0
    low = low[:GUARD_CHARACTERS]
    for start, end, sentence in sorted(spans):
        if start > len(low):
            break
        pieces.append(low[position:start])
        if sentence:
            stop = _SENTENCE_END.search(low, end, end + 120)
            end = stop.end() if stop else min(len(low), end + 120)
        position = max(position, end)
    pieces.append(low[position:])
    return sum(1 for _ in ABOUT_AI.finditer("\n".join(pieces)))
