"""Polarity patterns of a language: read from data, compiled, and the small functions that their templates use."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pydantic import Field

from schemas.config import ConfigError, Model, read_model

DATA = Path(__file__).parent / "data"
_LIST = re.compile(r"%(\w+)%")
_FIELD = re.compile(r"\{(\w+)((?:\|\w+)*)\}")


class Refused(Exception):
    """A template cannot be filled soundly: the row is not made."""


class TemplateData(Model):
    """What a match becomes; both replace the span of the match."""

    id: str = Field(pattern=r"^[a-z0-9_]+$", description="name of the template, unique in its pattern")
    positive: str = Field(min_length=1, description="the same meaning; {group}, or {group|function}")
    negative: str = Field(min_length=1, description="the same words of opposite polarity")


class PatternData(Model):
    """One way of saying or denying something."""

    name: str = Field(pattern=r"^[a-z0-9_]+$", description="name of the pattern, unique in its language")
    polarity: str = Field("negative", pattern="^(negative|affirmative)$", description="polarity of the anchor")
    trigger: str = Field(min_length=1, description="alternatives, one of which every match contains, in lower case")
    simple: bool = Field(False, description="only in short sentences of words alone, without commas and clauses")
    match: str = Field(
        min_length=1,
        description="regular expression; %list% is a list or fragment; after ^ no alternatives outside groups",
    )
    unless: tuple[str, ...] = Field((), description="regular expressions that must not be found in the sentence")
    needs: str | None = Field(None, description="regular expression that must be found in the sentence")
    negators: int | None = Field(None, ge=0, description="negators that the sentence has; null: 1, or 0 if affirmative")
    attest: str | None = Field(None, description="words of the other polarity that the corpus is asked for")
    attested: int = Field(0, ge=0, description="smallest number of times that the corpus must have them")
    confidence: float = Field(gt=0, le=1, description="confidence of a match that the corpus does not attest")
    templates: tuple[TemplateData, ...] = Field(min_length=1)


class LanguageData(Model):
    """Patterns of a language and the words that they are made of."""

    language: str = Field(pattern="^[a-z]{3}$", description="ISO 639-3")
    version: int = Field(ge=1)
    lists: dict[str, str] = Field({}, description="closed classes of words, with spaces between")
    fragments: dict[str, str] = Field({}, description="parts of expressions")
    tables: dict[str, dict[str, str]] = Field({}, description="functions of a template: form to form")
    rules: dict[str, tuple[tuple[str, str], ...]] = Field({}, description="functions: the first expression that fits")
    joins: tuple[tuple[str, str], ...] = Field((), description="contraction and elision in what templates make")
    keep_capital: bool = Field(False, description="an unknown first word keeps its capital inside a sentence")
    negators: str = Field(description="words that negate")
    refuse: str = Field(description="sentences with one of these are not used")
    refuse_simple: str = Field(description="nor are these in patterns of simple sentences")
    counted: str = Field("", description="words whose followers are counted to attest a flip")
    patterns: tuple[PatternData, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern."""

    data: PatternData
    match: re.Pattern[str]
    find: Callable[[str], re.Match[str] | None] = field(repr=False)  # at the beginning alone where it begins with ^
    unless: re.Pattern[str] | None
    needs: re.Pattern[str] | None
    negators: int


@dataclass(frozen=True, slots=True)
class Language:
    """A compiled language."""

    data: LanguageData
    patterns: tuple[Pattern, ...]
    gates: tuple[tuple[str, tuple[tuple[str, tuple[int, ...]], ...]], ...]  # (part, triggers that contain it)
    negators: re.Pattern[str]
    refuse: re.Pattern[str]
    refuse_simple: re.Pattern[str]
    counted: re.Pattern[str] | None
    joins: tuple[tuple[re.Pattern[str], str], ...]
    lowercase: frozenset[str]
    functions: Mapping[str, Callable[[str], str]] = field(repr=False)

    def fill(self, template: str, groups: Mapping[str, str | None]) -> str:
        """A template with the groups of a match. Raises Refused where a function has no answer."""

        def put(found: re.Match[str]) -> str:
            value = groups.get(found[1]) or ""
            for name in filter(None, found[2].split("|")):
                value = self.functions[name](value) if value else value
            return value

        return _FIELD.sub(put, template)

    def join(self, text: str) -> str:
        """A sentence with the contractions and elisions that its parts ask for where they meet."""
        for expression, replacement in self.joins:
            text = expression.sub(replacement, text)
        return re.sub(" {2,}", " ", text).replace(" .", ".").replace(" ,", ",")


def languages() -> tuple[str, ...]:
    """ISO 639-3 codes of the languages that have patterns."""
    return tuple(sorted(path.stem.removeprefix("polarity_") for path in DATA.glob("polarity_*.yaml")))


@cache
def read_language(code: str) -> Language:
    """The patterns of a language.

    Raises:
        ConfigError: there are none, or they are not as they should be.
    """
    if code not in languages():
        raise ConfigError(f"{code}: no polarity patterns; there are patterns for {', '.join(languages())}")
    return compile_language(read_model(DATA / f"polarity_{code}.yaml", LanguageData))


def compile_language(data: LanguageData) -> Language:
    """Compile a language. Raises ConfigError where an expression or a template is wrong."""

    def expand(text: str, depth: int = 0) -> str:
        if depth > 8:
            raise ConfigError(f"polarity patterns of {data.language}: fragments refer to each other: {text[:60]}")

        def part(found: re.Match[str]) -> str:
            name = found[1]
            if name in data.lists:
                return "(?:" + "|".join(data.lists[name].split()) + ")"
            if name in data.fragments:
                return "(?:" + expand(data.fragments[name], depth + 1) + ")"
            raise ConfigError(f"polarity patterns of {data.language}: no list or fragment %{name}%")

        return _LIST.sub(part, text)

    def compiled(text: str, flags: int = 0) -> re.Pattern[str]:
        try:
            return re.compile(expand(text), flags)
        except re.error as error:
            raise ConfigError(f"polarity patterns of {data.language}: {text[:60]}: {error}") from None

    def one(pattern: PatternData) -> Pattern:
        unless = compiled("|".join(pattern.unless), re.I) if pattern.unless else None
        negators = pattern.negators if pattern.negators is not None else int(pattern.polarity == "negative")
        needs = compiled(pattern.needs, re.I) if pattern.needs else None
        match = compiled(pattern.match)
        find = match.match if pattern.match.startswith("^") else match.search
        return Pattern(pattern, match, find, unless, needs, negators)

    functions: dict[str, Callable[[str], str]] = {"capital": lambda text: text[:1].upper() + text[1:]}
    lowercase = frozenset(data.lists.get("lowercase", "").split())
    functions["lower"] = lambda text: _lower(text, lowercase, data.keep_capital)
    for name, table in data.tables.items():
        functions[name] = _table(table)
    for name, rules in data.rules.items():
        functions[name] = _rules([(compiled(left), right) for left, right in rules])
    patterns = tuple(map(one, data.patterns))
    by_trigger: dict[str, list[int]] = {}
    for number, pattern in enumerate(data.patterns):
        for trigger in pattern.trigger.split("|"):
            by_trigger.setdefault(trigger, []).append(number)
        for template in pattern.templates:
            for found in _FIELD.finditer(template.positive + template.negative):
                unknown = set(filter(None, found[2].split("|"))) - set(functions)
                if found[1] not in patterns[number].match.groupindex or unknown:
                    raise ConfigError(f"{data.language} {pattern.name}.{template.id}: {found[0]} names nothing")
    return Language(
        data=data,
        patterns=patterns,
        gates=_gates({trigger: tuple(numbers) for trigger, numbers in by_trigger.items()}),
        negators=compiled(data.negators, re.I),
        refuse=compiled(data.refuse, re.I),
        refuse_simple=compiled(data.refuse_simple, re.I),
        counted=compiled(rf"\b({'|'.join(data.counted.split())})(?= (\w+)(?: (\w+))?)", re.I) if data.counted else None,
        joins=tuple((compiled(left), right) for left, right in data.joins),
        lowercase=lowercase,
        functions=functions,
    )


def _gates(
    by_trigger: Mapping[str, tuple[int, ...]],
) -> tuple[tuple[str, tuple[tuple[str, tuple[int, ...]], ...]], ...]:
    """Triggers by a part that they share, so that most sentences are asked for a few parts alone."""
    left = dict(by_trigger)
    gates = []
    while left:
        parts = Counter(
            part for trigger in left for part in {trigger[i : i + 3] for i in range(max(1, len(trigger) - 2))}
        )
        gate = max(parts, key=lambda part: (parts[part], part))
        held = tuple((trigger, left.pop(trigger)) for trigger in list(left) if gate in trigger)
        gates.append((gate, held))
    return tuple(gates)


def _lower(text: str, known: frozenset[str], keep: bool) -> str:
    first = re.split(r"[ '’]", text, maxsplit=1)[0]
    if first[:1].lower() + first[1:] in known:
        return text[:1].lower() + text[1:]
    if keep or not first[:1].isupper():
        return text
    raise Refused  # a name or a noun: no telling without a lexicon


def _table(table: Mapping[str, str]) -> Callable[[str], str]:
    def look_up(text: str) -> str:
        try:
            return table[text]
        except KeyError:
            raise Refused from None

    return look_up


def _rules(rules: list[tuple[re.Pattern[str], str]]) -> Callable[[str], str]:
    def apply(text: str) -> str:
        for expression, replacement in rules:
            if expression.search(text):
                return expression.sub(replacement, text, count=1)
        raise Refused

    return apply
