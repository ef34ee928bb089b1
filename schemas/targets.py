"""GapTargets: what a corpus should be made of, by language, topic, region, register and gender terms, as data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from schemas.config import Model, read_model

Dimension = Literal["language", "topic", "region", "register", "gender"]
TOPICS = (
    "health", "law", "politics", "economy", "technology", "science", "education", "sport", "food", "travel", "religion",
    "culture", "games", "home", "nature", "vehicles", "fashion", "family",
)  # fmt: skip
GENDERS = ("feminine", "masculine", "balanced")  # which terms prevail in a document
JOINT = "/"  # between the values of a crossing: deu/at
SUM_TOLERANCE = 1e-6


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError("a share is between 0 and 1")
    return value


Share = Annotated[float, AfterValidator(_share)]
Label = Literal["human", "machine_translated", "ai_generated", "unknown"]


class Target(Model):
    """Wanted shares of the values of one dimension, or of a crossing of several. One of shares, uniform and like.

    Shares that sum to 1 are shares of the documents that have one of the named values; shares that sum to less leave
    the rest to other values.
    """

    by: tuple[Dimension, ...] | Dimension = Field(description="dimension, or several that are crossed")
    where: dict[Dimension, str] = Field({}, description="only documents with these values, e.g. {language: deu}")
    shares: dict[str, Share] = Field({}, description="target share by value; of a crossing by `deu/at`")
    uniform: bool | tuple[str, ...] = Field(
        False, description="equal shares: of the values named, or true: of all topics or genders, else of those met"
    )
    like: str | None = Field(None, min_length=1, description="run folder or Parquet file with the shares to have")

    @model_validator(mode="after")
    def _consistent(self) -> Target:
        if sum((bool(self.shares), bool(self.uniform), self.like is not None)) != 1:
            raise ValueError("give one of shares, uniform and like")
        if not self.dimensions or len(set(self.dimensions)) != len(self.dimensions):
            raise ValueError("`by` names a dimension twice or none")
        if set(self.dimensions) & set(self.where):
            raise ValueError("a dimension is in `by` and in `where`; one value has a share of 1")
        if sum(self.shares.values()) > 1 + SUM_TOLERANCE:
            raise ValueError(f"the shares sum to {sum(self.shares.values()):g}; they are at most 1 together")
        named = [*self.shares, *(self.uniform if isinstance(self.uniform, tuple) else ())]
        for key in named:
            self._check(self.dimensions, key)
        for name, value in self.where.items():
            self._check((name,), value)
        return self

    @staticmethod
    def _check(dimensions: tuple[Dimension, ...], key: str) -> None:
        values = key.split(JOINT)
        if len(values) != len(dimensions):
            example = JOINT.join(dimensions)
            raise ValueError(
                f"{key!r} has {len(values)} values, `by` has {len(dimensions)} dimensions; write {example}"
            )
        for name, value in zip(dimensions, values, strict=True):
            if name == "topic" and value not in TOPICS:
                raise ValueError(f"{value!r} is no topic; topics are {', '.join(TOPICS)}")
            if name == "gender" and value not in GENDERS:
                raise ValueError(f"{value!r} is none of {', '.join(GENDERS)}")
            if name == "language" and not (len(value) == 3 and value.isascii() and value.islower()):
                raise ValueError(f"{value!r} is no ISO 639-3 code; write three letters, e.g. eng and not en")
            if name == "region" and not (len(value) == 2 and value.isascii() and value.islower()):
                raise ValueError(f"{value!r} is no country of ISO 3166; write two small letters, e.g. at, gb")

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """Dimensions that are crossed."""
        return self.by if isinstance(self.by, tuple) else (self.by,)

    @property
    def name(self) -> str:
        """`region where language=deu`, as reports and requests name the target."""
        where = ", ".join(f"{name}={value}" for name, value in sorted(self.where.items()))
        return " × ".join(self.dimensions) + (f" where {where}" if where else "")


class Requests(Model):
    """What is asked of a generator."""

    limit: int = Field(1000, ge=0, description="most requests; the gaps share them by their size")
    rephrasings: int = Field(
        2, ge=0, le=16, description="most requests that one document is the parent of; 0: none has"
    )
    ungrounded: bool = Field(True, description="ask for texts without a parent where a gap has too few documents")
    words: tuple[int, int] = Field((50, 2000), description="shortest and longest text to ask for, in words")
    parent_words: tuple[int, int] = Field((50, 4000), description="shortest and longest parent, in words")

    @model_validator(mode="after")
    def _ordered(self) -> Requests:
        if not 0 < self.words[0] <= self.words[1] or not 0 < self.parent_words[0] <= self.parent_words[1]:
            raise ValueError("words and parent_words are [shortest, longest], over 0")
        return self


class GapTargets(Model):
    """Everything that decides a report of gaps and its requests."""

    targets: tuple[Target, ...] = Field(min_length=1, description="what the corpus should be made of")
    unit: Literal["documents", "words", "bytes"] = Field("documents", description="what shares are shares of")
    tolerance: float = Field(
        0.1, ge=0, lt=1, description="a share is thin below the target less this part of it, by its upper bound"
    )
    minimum_documents: int = Field(
        0, ge=0, description="a wanted stratum of fewer documents is thin whatever its share"
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="of the two-sided intervals")
    labels: tuple[Label, ...] = Field(
        ("human", "unknown"), min_length=1, description="provenance labels of the documents that count"
    )
    requests: Requests = Requests()
    seed: str = Field(
        "headwater", description="changes which documents are parents, lengths, and the generator's seeds"
    )

    @model_validator(mode="after")
    def _names(self) -> GapTargets:
        names = [target.name for target in self.targets]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two targets are for {twice[0]}; make one of them")
        return self

    def plain(self) -> dict[str, Any]:
        """JSON-ready values, every default spelled out."""
        return self.model_dump(mode="json")


def load_targets(path: str | Path) -> GapTargets:
    """The targets in a YAML (or JSON) file.

    Raises:
        ConfigError: no such file, not YAML, unknown keys, values out of range; names the key and what is allowed.
    """
    return read_model(path, GapTargets)


def targets_schema() -> dict[str, Any]:
    """JSON Schema of the targets file."""
    return GapTargets.model_json_schema()
