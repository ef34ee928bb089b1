"""Tokens a second of a language model that measures texts, on the device at hand.

    python benchmarks/teacher.py --model smollm2 --texts FILE.jsonl
    python benchmarks/teacher.py --model FOLDER_OR_NAME --device cuda --documents 2000

Prints one JSON object: device, threads, seconds to load, tokens a second with and without the statistics of documents.
Without --texts, sentences from a fixed list of words are measured: speed does not depend on what they say.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import time
from pathlib import Path

from detectors.ai_text.zero_shot import document_statistics
from detectors.text_model.canonical import canonicalise
from pipeline.language_models import identify, is_gguf, load_language_model
from pipeline.teacher import BATCH_DOCUMENTS

WORDS = [
    "the",
    "river",
    "turns",
    "a",
    "wheel",
    "and",
    "people",
    "of",
    "that",
    "village",
    "carry",
    "their",
    "grain",
    "to",
    "him",
    "because",
    "water",
    "asks",
    "no",
    "wage",
]


def read_texts(path: Path | None, documents: int) -> list[str]:
    """Canonical texts, from a JSON lines file with `text` or made up."""
    if path is None:
        source = random.Random(0)
        return [" ".join(source.choices(WORDS, k=240)).capitalize() + "." for _ in range(documents)]
    with path.open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line, _ in zip(lines, range(documents), strict=False)]
    held = canonicalise(texts)
    return [held.text(row) for row in range(held.docs)]


def device_name(model: str, device: str | None) -> str:
    """What the model runs on."""
    if not is_gguf(model):
        import torch

        if device != "cpu" and torch.cuda.is_available():
            return str(torch.cuda.get_device_name())
    return f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores"


def main() -> None:
    """Load, warm up, measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--observer")
    parser.add_argument("--device")
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--documents", type=int, default=64)
    parser.add_argument("--texts", type=Path)
    options = parser.parse_args()
    texts = read_texts(options.texts, options.documents)
    began = time.perf_counter()
    model = load_language_model(options.model, options.observer, options.device)
    loaded = time.perf_counter() - began
    model.measure(texts[:2], options.tokens)  # compiles, and fills caches
    began, cpu = time.perf_counter(), time.process_time()
    measured = []
    for at in range(0, len(texts), BATCH_DOCUMENTS):
        measured += model.measure(texts[at : at + BATCH_DOCUMENTS], options.tokens)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    began = time.perf_counter()
    for tokens in measured:
        document_statistics(tokens)
    summarised = time.perf_counter() - began
    total = sum(map(len, measured))
    identity = identify(options.model)
    print(
        json.dumps(
            {
                "model": identity.name,
                "digest": identity.digest,
                "observer": options.observer,
                "device": device_name(options.model, options.device),
                "threads": os.environ.get("OMP_NUM_THREADS", "all"),
                "load_seconds": round(loaded, 1),
                "documents": len(texts),
                "tokens": total,
                "tokens_per_second": round(total / seconds),
                "tokens_per_cpu_second": round(total / cpu),
                "milliseconds_per_document_statistics": round(1e3 * summarised / len(texts), 3),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
