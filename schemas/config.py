"""CurateConfig: what a run does, as data. Unknown keys are errors; the JSON Schema is exported for editors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator


class ConfigError(ValueError):
    """A configuration that cannot be used; the message says where and what to do."""


def _three_letters(code: str) -> str:
    if len(code) != 3 or not code.isascii() or not code.islower():
        raise ValueError(f"{code!r} is no ISO 639-3 code; write three letters, e.g. eng and not en")
    return code


LanguageCode = Annotated[str, AfterValidator(_three_letters)]


class Model(BaseModel):
    """Unknown keys are errors; values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


M = TypeVar("M", bound=Model)


class ReadConfig(Model):
    """Bounds of reading, in bytes, and the columns of text tables."""

    max_body_bytes: int = Field(16 << 20, gt=0, description="largest payload of a page after decoding; larger fails")
    max_record_bytes: int = Field(64 << 20, gt=0, description="largest record block in an archive; larger fails")
    id_column: str = Field("id", description="id column of text tables")
    text_column: str = Field("text", description="text column of text tables")
    url_column: str = Field("url", description="address column of text tables, where present")
    fetched_at_column: str = Field("fetched_at", description="capture time column of text tables, where present")
    table_root: str = Field("https://data.commoncrawl.org/", description="root of relative names in offset tables")


class ExtractConfig(Model):
    """How HTML becomes text."""

    extractor: str = Field(
        "blocks", description="blocks (own), resiliparse, or trafilatura (needs the extra of that name)"
    )
    markup: Literal["plain", "markdown"] = Field("plain", description="form of the text; markdown: of `blocks` only")
    precision: bool = Field(
        False, description="leave out titles, bylines, comments and doubtful blocks; of `blocks` only"
    )
    model: str | None = Field(
        None,
        min_length=1,
        description="model of `headwater extractor train`, from the current folder; null: the shipped one",
    )
    cpu_seconds: float = Field(10.0, gt=0, description="CPU time that one page may burn before it is a failure")


class LanguageConfig(Model):
    """Which model says the language."""

    model: str = Field("lid176", description="lid176 (embedded), or path or URL of a fastText model")
    sha256: str | None = Field(None, description="digest of the model; required with a URL")


class UrlFilterConfig(Model):
    """Lists in the UT1 format, and words in addresses."""

    lists: tuple[str, ...] = Field((), description="folders or tar.gz of `domains` and `urls` files")
    banned_words: tuple[str, ...] = Field((), description="one of these words in an address drops the page")
    banned_subwords: tuple[str, ...] = Field((), description="one of these anywhere in an address drops the page")
    soft_words: tuple[str, ...] = Field((), description="two of these words in an address drop the page")


class QualityConfig(Model):
    """Named profile of rules over the stored signals."""

    profile: Literal["none", "gopher", "c4", "c4_paper", "fineweb", "refinedweb"] = Field(
        "gopher", description="rules that a kept page passes"
    )
    repetition: Literal["datatrove", "dolma", "dclm", "rpv2"] | None = Field(
        None, description="whose definition of the Gopher repetition signals; null takes the profile's own"
    )
    thresholds: dict[str, float | None] = Field(
        {}, description="other thresholds by rule, e.g. gopher_top_2_gram: 0.25; null switches a rule off"
    )
    language_thresholds: dict[LanguageCode, dict[str, float | None]] = Field(
        {}, description="thresholds by language (ISO 639-3), then by rule"
    )


class Prior(Model):
    """Share of each class before any evidence about a document."""

    human: float = Field(0.8, gt=0, lt=1, description="written by a person, or translated by one")
    machine_translated: float = Field(0.1, gt=0, lt=1, description="translated by a machine")
    ai_generated: float = Field(0.1, gt=0, lt=1, description="written by a model")

    @model_validator(mode="after")
    def _sum(self) -> Prior:
        if abs(self.human + self.machine_translated + self.ai_generated - 1) > 1e-6:
            raise ValueError("human + machine_translated + ai_generated must be 1")
        return self


class TextModelsConfig(Model):
    """Files of `headwater detectors train`; null: those that ship. Other models need a calibration of their own."""

    chat: str | None = Field(None, min_length=1, description="tells text of chat models")
    raw: str | None = Field(None, min_length=1, description="tells text of language models without chat training")
    translation: str | None = Field(None, min_length=1, description="tells translations, and those by machines")


class ProvenanceConfig(Model):
    """How evidence becomes provenance."""

    prior: Prior = Prior()
    text_models: TextModelsConfig = TextModelsConfig()
    controls: str | None = Field(
        None, min_length=1, description="file of `headwater controls build`; null: dated captures of the run itself"
    )
    calibration: str | None = Field(
        None, min_length=1, description="file of `headwater detectors calibrate`; null: the one of the shipped models"
    )
    own_controls: bool = Field(
        True, description="captures of the run from before November 2022 are controls for the later ones"
    )
    hosts: bool = Field(True, description="the scores of a host's pages inform each of them")
    parallel: bool = Field(True, description="look for the same text in other languages")
    embeddings: bool = Field(
        False, description="decide doubtful pairs of parallel pages by sentence embeddings (extra `embeddings`)"
    )
    human_from: float = Field(0.85, gt=0.5, le=1, description="smallest p_human of the label human")


class LanguagePolicy(Model):
    """Languages that are kept, and how sure the model must be."""

    keep: tuple[LanguageCode, ...] = Field((), description="ISO 639-3 codes to keep; empty keeps all")
    minimum_score: float = Field(0.0, ge=0, le=1, description="smallest language_score, any language")
    minimum_scores: dict[LanguageCode, float] = Field({}, description="smallest language_score by ISO 639-3 code")


class Shingle(Model):
    """What similarity is counted over."""

    unit: Literal["words", "characters"] = Field("words", description="words, or characters of the folded text")
    size: int = Field(5, ge=1, le=64, description="units of a shingle")


class ShingleConfig(Shingle):
    """Shingles, and others by language."""

    languages: dict[LanguageCode, Shingle] = Field(
        {}, description="other shingles by language (ISO 639-3), e.g. tha: {unit: characters, size: 20}"
    )


class SemanticPolicy(Model):
    """Pages that say the same in other words, by sentence embeddings (extra `embeddings`)."""

    enabled: bool = Field(False, description="look for semantic duplicates")
    similarity: float = Field(0.95, gt=0, le=1, description="smallest cosine of semantic duplicates")
    cluster_texts: int = Field(1000, ge=2, description="texts that a cluster of the search aims at; cost grows with it")


class LinePolicy(Model):
    """Repeated lines, which are cut from the pages that are kept."""

    rule: Literal["none", "site", "c4", "cc_net"] = Field(
        "none",
        description="site: lines on many pages of a site; c4: one copy of a line stays; cc_net: no copy stays",
    )
    site_pages: int = Field(3, ge=2, description="pages of a site from which on a line is repeated (rule site)")
    site_share: float = Field(0.2, ge=0, le=1, description="share of a site's pages from which on, likewise")


class SubstringPolicy(Model):
    """Repeated runs of words, which are cut from all pages but one."""

    words: int = Field(0, ge=0, le=512, description="shortest run of words that is cut; 0 switches it off, 50 is usual")


class DuplicatePolicy(Model):
    """Which copies go."""

    url: bool = Field(True, description="keep one capture of an address")
    exact: bool = Field(True, description="keep one of the pages with equal normalised text")
    near: bool = Field(True, description="keep one of a cluster of near duplicates")
    shape: Literal["14x8", "20x13", "26x11", "17x15"] = Field(
        "14x8", description="MinHash bands x rows, of FineWeb, NeMo Curator, Dolma 3, HPLT"
    )
    scheme: Literal["headwater", "datatrove"] = Field(
        "headwater", description="datatrove: its signatures, bit for bit (extra `compatible`)"
    )
    seed: int = Field(1, ge=0, lt=2**32, description="seed of the permutations")
    shingle: ShingleConfig = ShingleConfig()
    verify: bool = Field(True, description="compare the shingles of pages that share a band before they are joined")
    similarity: float = Field(0.75, gt=0, le=1, description="smallest verified Jaccard similarity of near duplicates")
    sketch: int = Field(
        256, ge=16, le=65536, description="shingle hashes kept of a page: similarity is exact up to as many"
    )
    cluster_limit: int = Field(
        10_000, ge=2, description="different texts of a cluster; larger ones are split by similarity and reported"
    )
    keep: Literal["longest", "newest", "oldest"] = Field("longest", description="page that stands for its cluster")
    keep_capture: Literal["newest", "oldest"] = Field("newest", description="capture that stands for its address")
    seen: tuple[str, ...] = Field((), description="folders of earlier runs, whose pages are not kept again")
    semantic: SemanticPolicy = SemanticPolicy()
    lines: LinePolicy = LinePolicy()
    substrings: SubstringPolicy = SubstringPolicy()
    rehydration: Literal["none", "fineweb2"] = Field(
        "none", description="`mix_weight` by cluster size: none, or FineWeb-2's weights"
    )


class Policy(Model):
    """Decisions over stored evidence; changing it never needs another crawl pass."""

    minimum_words: int = Field(1, ge=0, description="pages with fewer words are dropped (no_text)")
    languages: LanguagePolicy = LanguagePolicy()
    drop_opt_outs: tuple[str, ...] = Field(
        (), description="opt-outs that drop a page, e.g. noai, tdm-reservation; all are stored in `rights`"
    )
    drop_labels: tuple[Literal["machine_translated", "ai_generated", "unknown"], ...] = Field(
        (), description="provenance labels that drop a page"
    )
    duplicates: DuplicatePolicy = DuplicatePolicy()
    validation_share: float = Field(0.01, ge=0, le=1, description="share of clusters in the validation split")
    test_share: float = Field(0.01, ge=0, le=1, description="share of clusters in the test split")
    split_seed: str = Field("headwater", description="changes which clusters fall into which split")

    @model_validator(mode="after")
    def _shares(self) -> Policy:
        if self.validation_share + self.test_share > 1:
            raise ValueError("validation_share + test_share is over 1; lower one of them")
        return self


class OutputConfig(Model):
    """Shape of the files."""

    file_bytes: int = Field(32 << 20, gt=0, description="aim for this many bytes of rows (uncompressed) in a file")
    max_failed_share: float = Field(
        0.1, ge=0, le=1, description="more failed pages and regions than this share of pages: exit code 3"
    )


class CurateConfig(Model):
    """Everything that decides the bytes of a run. Workers, split size and runner do not, and are not here."""

    read: ReadConfig = ReadConfig()
    extract: ExtractConfig = ExtractConfig()
    language: LanguageConfig = LanguageConfig()
    url_filter: UrlFilterConfig = UrlFilterConfig()
    quality: QualityConfig = QualityConfig()
    provenance: ProvenanceConfig = ProvenanceConfig()
    policy: Policy = Policy()
    output: OutputConfig = OutputConfig()

    def plain(self) -> dict[str, Any]:
        """JSON-ready values, every default spelled out."""
        return self.model_dump(mode="json")


def _fault(values: Any, place: Sequence[int | str], kind: str, message: str) -> str:
    """What is wrong where. Steps of a place that are kinds of a model, and no keys of the file, are left out."""
    steps, inside = [], values
    for number, step in enumerate(place):
        is_kind = isinstance(inside, dict) and (step not in inside or step == inside.get("kind"))
        if is_kind and number + 1 < len(place):
            continue
        steps.append(str(step))
        known = isinstance(inside, list | tuple | dict) and (not isinstance(inside, dict) or step in inside)
        inside = inside[step] if known else None
    return f"{'.'.join(steps)}: {'unknown key' if kind == 'extra_forbidden' else message}"


def read_model(path: str | Path, model: type[M]) -> M:
    """A model of the values in a YAML (or JSON) file; an empty file gives its defaults.

    Raises:
        ConfigError: no such file, not YAML, unknown keys, values out of range; names the key and what is allowed.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); give the path of a YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML ({error})") from None
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected keys at the top, found a {type(values).__name__}")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = [_fault(values, e["loc"], e["type"], e["msg"]) for e in error.errors()]
        raise ConfigError(f"{path} cannot be used: {'; '.join(faults)}") from None  # a message is one line


def load_config(path: str | Path | None) -> CurateConfig:
    """The configuration in a YAML (or JSON) file, or the defaults.

    Raises:
        ConfigError: no such file, not YAML, unknown keys, values out of range; names the key and what is allowed.
    """
    return CurateConfig() if path is None else read_model(path, CurateConfig)


def json_schema() -> dict[str, Any]:
    """JSON Schema of the configuration file."""
    return CurateConfig.model_json_schema()
