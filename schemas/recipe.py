"""MixRecipe: what a training mix is made of and what it must keep, as data. The JSON Schema is exported for editors."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from schemas.config import LanguageCode, Model, read_model

Label = Literal["human", "machine_translated", "ai_generated", "unknown"]
StratumColumn = Literal["language", "page_type", "source"]


SUFFIXES = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def parse_tokens(value: Any) -> Any:
    """A number of tokens as a person writes it: 300M, 1.5G, 1_000_000; suffixes are powers of 1000.

    Raises:
        ValueError: a text that is no such number.
    """
    if not isinstance(value, str):
        return value
    text = value.strip().upper().replace("_", "").replace(",", "")
    factor = SUFFIXES.get(text[-1:], 1)
    try:
        return int(float(text[:-1]) * factor) if factor > 1 else int(text)
    except (ValueError, OverflowError):
        raise ValueError(f"{value!r} is no number of tokens; write for example 300M") from None


class AssumedShare(Model):
    """A share of human text that is declared, not measured; mix.json says so."""

    human: float = Field(gt=0, le=1, description="share of the source's tokens that people wrote, at least")
    because: str = Field(min_length=1, description="why, e.g. `captured in 2016`; repeated in mix.json and the report")


class RunSource(Model):
    """Documents of a run of `headwater curate`."""

    kind: Literal["run"] = "run"
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", description="name of the source in the mix")
    run: str = Field(min_length=1, description="folder of a finished run, from the current folder")
    weight: float = Field(1.0, gt=0, description="how strongly the source is wanted beside the others")
    labels: tuple[Label, ...] = Field(
        ("human", "unknown"), min_length=1, description="provenance labels of the documents that take part"
    )
    languages: tuple[LanguageCode, ...] = Field((), description="ISO 639-3 codes; empty takes all")
    minimum: dict[str, float] = Field(
        {}, description="smallest value by column, e.g. p_human, language_score, or quality.SIGNAL; nulls do not pass"
    )
    maximum: dict[str, float] = Field({}, description="largest value by column, likewise")
    assume: AssumedShare | None = Field(
        None, description="declared share of human text; null: measured with the run's controls"
    )
    controls: str | None = Field(
        None, min_length=1, description="file of `headwater controls build`; null: the one that the run used or left"
    )


class SyntheticSource(Model):
    """Texts that a generator wrote: tables (Parquet, JSONL), or a folder of `headwater synthesize ingest`."""

    kind: Literal["synthetic"]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", description="name of the source in the mix")
    files: tuple[str, ...] = Field(
        min_length=1, description="tables, globs, or folders of `headwater synthesize ingest`"
    )
    weight: float = Field(1.0, gt=0, description="how strongly the source is wanted beside the others")
    grounded: bool | None = Field(
        None, description="whether texts are rephrasings of their parents; null: those that name a parent are"
    )
    generator: str | None = Field(None, min_length=1, description="generator of rows whose column is empty")
    prompt: str | None = Field(None, min_length=1, description="prompt, or its name, of rows whose column is empty")
    depth: int | None = Field(None, ge=1, description="generation depth of rows whose column is empty; 1: of real text")
    columns: dict[Literal["id", "text", "generator", "prompt", "seed", "parents", "depth", "language"], str] = Field(
        {}, description="columns of the tables, where their names differ"
    )
    scores: tuple[str, ...] = Field((), description="columns that pass through, e.g. scores of a teacher")
    languages: tuple[LanguageCode, ...] = Field((), description="ISO 639-3 codes; empty takes all")


Source = Annotated[RunSource | SyntheticSource, Field(discriminator="kind")]


class Tokens(Model):
    """What a budget counts."""

    unit: Literal["bytes", "tokens"] = Field("bytes", description="bytes of UTF-8, or tokens of a tokenizer")
    tokenizer: str | None = Field(
        None, min_length=1, description="tokenizer.json, or a name that the `tokenizers` library knows (extra `mix`)"
    )

    @model_validator(mode="after")
    def _named(self) -> Tokens:
        if (self.unit == "tokens") != (self.tokenizer is not None):
            raise ValueError("unit: tokens needs a tokenizer, and a tokenizer needs unit: tokens")
        return self


class Floor(Model):
    """Smallest share of fresh human text, at the recipe's confidence, of the mix or of one stratum or of each.

    One of `fresh_human` and `error_multiplier`: at a share f per generation the error of a linear model settles at
    1/(1 - (1 - f)^2) times the first generation's (Alemohammad et al. 2023; Gerstgrasser et al. 2024), so that a
    multiplier k is a floor of 1 - sqrt(1 - 1/k).
    """

    fresh_human: float | None = Field(None, ge=0, le=1, description="smallest share of fresh human tokens")
    error_multiplier: float | None = Field(None, gt=1, description="largest error multiplier; instead of fresh_human")
    where: dict[StratumColumn, str] = Field({}, description="stratum, e.g. {language: deu}; empty: the whole mix")
    each: StratumColumn | None = Field(None, description="the floor holds in each value of this column by itself")

    @model_validator(mode="after")
    def _one(self) -> Floor:
        if (self.fresh_human is None) == (self.error_multiplier is None):
            raise ValueError("give one of fresh_human and error_multiplier")
        return self

    @property
    def share(self) -> float:
        """The floor as a share of tokens."""
        if self.fresh_human is not None:
            return self.fresh_human
        assert self.error_multiplier is not None
        return 1.0 - math.sqrt(1.0 - 1.0 / self.error_multiplier)


class Caps(Model):
    """Largest shares of the mix, in tokens."""

    grounded: float = Field(
        1 / 3, ge=0, le=1, description="rephrasings of real text; a third was best for Kang et al. 2025"
    )
    ungrounded: float = Field(
        0.05, ge=0, le=1, description="other synthetic text, together with suspected AI text among real documents"
    )
    suspected: bool = Field(
        True, description="suspected AI text in real documents counts against `ungrounded`, at its upper bound"
    )
    host: float | None = Field(None, gt=0, le=1, description="real text of any one host; null: no cap")


class Freshness(Model):
    """What counts as seen, beside what the runs themselves left out with `--seen`."""

    runs: tuple[str, ...] = Field((), description="folders of earlier runs, whose documents are not fresh")
    mixes: tuple[str, ...] = Field((), description="folders of earlier mixes, whose documents are not fresh")


class Weights(Model):
    """Which documents of a stratum come first. A document's chance grows with its weight."""

    columns: dict[str, Annotated[float, Field(ge=-16, le=16)]] = Field(
        {}, description="exponents by column, e.g. {p_human: 1.0} or {quality.SIGNAL: 0.5}; nulls count as the mean"
    )
    rehydration: bool = Field(False, description="`mix_weight` of the run is a factor")


class MixOutput(Model):
    """Shape of the files."""

    format: Literal["parquet", "jsonl.zst", "webdataset", "array_record"] = Field(
        "parquet", description="format of the shards; array_record is that of Grain (extra `mix`)"
    )
    shard_bytes: int = Field(64 << 20, ge=1 << 16, le=1 << 30, description="aim for this many bytes of text in a shard")
    weights_only: bool = Field(False, description="write the manifest of weights and no text")
    validation: bool = Field(True, description="write the real documents of the runs' validation splits beside the mix")


class MixRecipe(Model):
    """Everything that decides the bytes of a mix."""

    sources: tuple[Source, ...] = Field(description="what the mix is made of")
    budget: Annotated[int | None, BeforeValidator(parse_tokens)] = Field(
        None, gt=0, description="tokens of the mix, e.g. 300M; null: as many as the constraints allow"
    )
    tokens: Tokens = Tokens()
    floors: tuple[Floor, ...] = Field((Floor(fresh_human=0.3),), description="smallest shares of fresh human text")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="confidence of every floor and cap that is estimated")
    caps: Caps = Caps()
    repeats: int = Field(4, ge=1, le=16, description="most copies of a document; 4 are nearly as good as fresh text")
    language_temperature: float = Field(
        1.0, ge=1, le=100, description="languages are wanted as their tokens to the power of 1 / temperature"
    )
    weights: Weights = Weights()
    depth: int = Field(1, ge=0, description="deepest generation: 0 no synthetic text, 1 synthetic text of real text")
    freshness: Freshness = Freshness()
    seed: str = Field("headwater", description="changes which documents of a stratum come first, and their order")
    output: MixOutput = MixOutput()

    @model_validator(mode="after")
    def _names(self) -> MixRecipe:
        names = [source.name for source in self.sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two sources are called {twice[0]!r}; give each a name of its own")
        try:
            self.seed.encode()
        except UnicodeEncodeError:
            raise ValueError("seed: half of a surrogate pair is no text; choose another seed") from None
        if not any(source.kind == "run" for source in self.sources):
            raise ValueError("no source is a run; a mix needs real text")
        return self

    def plain(self) -> dict[str, Any]:
        """JSON-ready values, every default spelled out."""
        return self.model_dump(mode="json")


def load_recipe(path: str | Path) -> MixRecipe:
    """The recipe in a YAML (or JSON) file.

    Raises:
        ConfigError: no such file, not YAML, unknown keys, values out of range; names the key and what is allowed.
    """
    return read_model(path, MixRecipe)


def recipe_schema() -> dict[str, Any]:
    """JSON Schema of the recipe file."""
    return MixRecipe.model_json_schema()
