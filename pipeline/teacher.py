"""Statistics of a sample of documents under a language model, by Beam's RunInference.

    splits ─┬─ hashes of ids ─ smallest N ──┐
            └─ texts in the sample ─────────┴─ RunInference ─ document statistics ─ file

The sample is by the hash of the id, so it is the same on every run, and a larger sample holds the smaller one. Files
are read twice, for ids and then for texts, so that only texts of the sample are held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import xxhash
from apache_beam.ml.inference.base import KeyedModelHandler, ModelHandler, RunInference
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.combiners import Top

from detectors.ai_text.zero_shot import Float32, document_statistics
from detectors.text_model.canonical import CANONICAL_VERSION, canonicalise
from pipeline.annotate import open_split
from pipeline.language_models import LanguageModel, identify, load_language_model
from pipeline.outcomes import doc_id_of
from pipeline.progress import Reporter, State
from pipeline.read.records import Page, Region, Split
from pipeline.read.sources import list_sources, plan_splits
from pipeline.read.storage import InputError
from pipeline.teacher_file import Measured, TeacherMeta, write_teacher
from schemas.config import CurateConfig

LOCAL_RUNNER = "FnApiRunner"  # in this process: no server and no download
BATCH_DOCUMENTS = 64  # texts that a model gets at one time
_ALL = 1 << 64  # one more than any hash
_measured: Counter[str] = Counter()  # by this process, for its progress line

Document = tuple[tuple[str | None, str], str]  # (record id, doc id), text


@dataclass(frozen=True, slots=True)
class Sample:
    """A number of documents, or a share of them; one of the two."""

    documents: int | None = None
    share: float | None = None

    @classmethod
    def parse(cls, text: str) -> Sample:
        """`500` documents, `0.01` or `1%` of them. Raises ValueError for anything else."""
        if text.endswith("%"):
            sample = cls(share=float(text[:-1]) / 100)
        elif text.isdigit():
            sample = cls(documents=int(text))
        else:
            sample = cls(share=float(text))
        if (sample.share is not None and not 0 < sample.share <= 1) or sample.documents == 0:
            raise ValueError(text)
        return sample

    def __str__(self) -> str:
        return str(self.documents if self.share is None else self.share)


def sample_hash(name: str) -> int:
    """Place of a document in the order of sampling, uniform below 2^64; a function of its id alone."""
    return int(xxhash.xxh3_64_intdigest(name.encode("utf-8", "surrogatepass")))


class TeacherHandler(ModelHandler[str, Float32, LanguageModel]):  # type: ignore[misc]
    """Texts to per-token statistics, by `smollm2`, a GGUF file or a model of transformers.

    The model is loaded once per process and shared by its threads.
    """

    def __init__(self, model: str, observer: str | None = None, tokens: int = 200, device: str | None = None) -> None:
        super().__init__(max_batch_size=BATCH_DOCUMENTS)
        self._model, self._observer, self._tokens, self._device = model, observer, tokens, device

    def load_model(self) -> LanguageModel:
        """The model with its observer."""
        return load_language_model(self._model, self._observer, self._device)

    def run_inference(
        self, batch: Sequence[str], model: LanguageModel, inference_args: dict[str, Any] | None = None
    ) -> Iterable[Float32]:
        """Statistics of each text, (tokens, 8)."""
        return model.measure(batch, self._tokens)

    def get_metrics_namespace(self) -> str:
        """Namespace of RunInference's own counters."""
        return "headwater.teacher"


class MeasureDocuments(beam.PTransform):  # type: ignore[misc]
    """Documents to `Measured`, through any handler from texts to arrays of (tokens, 8)."""

    def __init__(self, handler: ModelHandler) -> None:
        super().__init__()
        self._handler = handler

    def expand(self, documents: beam.PCollection) -> beam.PCollection:
        """Canonicalise, run the model, summarise each document."""
        return (
            documents
            | "Canonicalise" >> beam.MapTuple(canonical_document)
            | "Spread" >> beam.Reshuffle()
            | "RunModel" >> RunInference(KeyedModelHandler(self._handler))
            | "Summarise" >> beam.MapTuple(measured)
        )


class SampleDocuments(beam.PTransform):  # type: ignore[misc]
    """Splits of text tables to the documents of the sample."""

    def __init__(self, config: CurateConfig, sample: Sample) -> None:
        super().__init__()
        self._config, self._sample = config, sample

    def expand(self, splits: beam.PCollection) -> beam.PCollection:
        """Find the largest hash of the sample, then read the texts up to it."""
        config, sample = self._config, self._sample
        limit: Any = int((sample.share or 1) * _ALL)
        if sample.documents is not None:
            limit = beam.pvalue.AsSingleton(
                splits
                | "ReadIds" >> beam.FlatMap(_hashes, config)
                | "Smallest" >> Top.Smallest(sample.documents)
                | "Limit" >> beam.Map(lambda hashes: hashes[-1] + 1 if hashes else 0)
            )
        return splits | "ReadTexts" >> beam.FlatMap(_sampled, config, limit)


def _hashes(split: Split, config: CurateConfig) -> Iterator[int]:
    for page in _pages(split, config):
        if page.text is not None:
            yield sample_hash(page.record_id or doc_id_of(page))


def _sampled(split: Split, config: CurateConfig, limit: int) -> Iterator[Document]:
    without = beam.metrics.Metrics.counter("headwater.teacher", "rows_without_text")
    for page in _pages(split, config):
        if page.text is None:
            without.inc()
            continue
        doc_id = doc_id_of(page)
        if sample_hash(page.record_id or doc_id) < limit:
            yield (page.record_id, doc_id), page.text


def _pages(split: Split, config: CurateConfig) -> Iterator[Page]:
    for item in open_split(split, config):
        if isinstance(item, Region):
            raise InputError(f"{split.source_file} at {item.source_offset}: {item.message}")
        if item.record_type not in ("row", "conversion"):
            raise InputError(
                f"{split.source_file} holds pages, and a teacher reads text; "
                f"run first: headwater extract {split.source_file} --output pages.parquet"
            )
        yield item


def canonical_document(key: tuple[str | None, str], text: str) -> tuple[tuple[str | None, str], str]:
    """The text as the text models read it, so that teacher and students judge the same words."""
    plain = canonicalise([text]).text(0)
    return key, plain if plain.isascii() else plain.encode("utf-8", "replace").decode("utf-8")


def measured(key: tuple[str | None, str], tokens: Float32) -> Measured:
    """Statistics of a document from those of its tokens."""
    _measured.update(documents=1, tokens=len(tokens))
    return Measured(*key, len(tokens), document_statistics(tokens).astype(np.float32).tobytes())


def teach_job(
    inputs: Sequence[str],
    output: Path,
    config: CurateConfig,
    *,
    model: str,
    observer: str | None,
    sample: Sample,
    tokens: int,
    device: str | None,
    reporter: Reporter,
    handler: ModelHandler | None = None,
    beam_options: Sequence[str] = (),
) -> int:
    """Measure a sample of the inputs; returns the number of documents.

    Raises:
        InputError: an input or a model that cannot be used.
    """
    identity = identify(model)
    observing = identify(observer) if observer else None
    sources = list_sources(list(inputs), table_root=config.read.table_root, text_column=config.read.text_column)
    # One split a file: archives need a check of how splits meet, which a sample is not worth.
    splits = plan_splits(sources, max(1, *(source.size_bytes for source in sources)))
    meta = TeacherMeta(
        identity.name,
        identity.digest,
        observing.name if observing else None,
        observing.digest if observing else None,
        tokens,
        str(sample),
        CANONICAL_VERSION,
    )
    handler = handler or TeacherHandler(model, observer, tokens, device)

    def write(rows: list[Measured]) -> int:
        write_teacher(output, rows, meta)
        return len(rows)

    is_local = not any(option.startswith("--runner") for option in beam_options)
    options = [f"--runner={LOCAL_RUNNER}", *beam_options] if is_local else list(beam_options)
    pipeline = beam.Pipeline(options=PipelineOptions(options, save_main_session=False))
    _measured.clear()
    with reporter.watch(lambda: State("Measuring", 0, len(splits), _measured["documents"], _measured["tokens"], 0)):
        (
            pipeline
            | "Splits" >> beam.Create(splits)
            | "Sample" >> SampleDocuments(config, sample)
            | "Measure" >> MeasureDocuments(handler)
            | "Collect" >> beam.combiners.ToList()
            | "Write" >> beam.Map(write)
        )
        result = pipeline.run()
        result.wait_until_finish()
    counts: Counter[str] = Counter()
    for counter in result.metrics().query()["counters"]:
        counts[counter.key.metric.name] += counter.committed or 0
    documents = counts["num_inferences"]
    without = counts["rows_without_text"]
    reporter.say(
        f"{documents:,} documents in {output}" + (f"; {without:,} rows had no text" if without else ""),
        documents=documents,
        rows_without_text=without,
    )
    return documents
