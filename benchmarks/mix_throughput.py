"""Throughput of writing a mix against a plain Parquet copy of the same columns, in pairs; and memory by size.

    python benchmarks/mix_throughput.py --text 128 --pairs 3
    python benchmarks/mix_throughput.py --pool RUN --text 512

The input has the layout of a run. Its texts are those of RUN again and again, each copy with its words turned round by
another number so that no two compress as one; without RUN they are made of words whose frequencies are Zipf's and that
repeat as those of text do. Both sides write every document once, as zstd-3. Times are CPU seconds, children included;
MB are 10^6 bytes of text. Memory is the largest of a child, beyond what it has after its imports, for sizes 1, 2 and 4.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from pipeline.keys import write_arrow
from pipeline.mix.candidates import CANDIDATES, InputFile, candidates_path
from pipeline.mix.choose import INDEX as INDEX_GROUP
from pipeline.mix.choose import ChoosePlan, MixFile, cut_file, measure_file, shard_counts
from pipeline.mix.formats import file_name
from pipeline.mix.ledger import index_files, write_ledger_part
from pipeline.mix.rows import READ_COLUMNS
from pipeline.mix.shards import write_shard
from pipeline.mix.survey import plan_survey, survey_file
from pipeline.write import INDEX, ROW_GROUP_BYTES, Piece, file_path
from schemas.document import data_schema
from schemas.recipe import MixRecipe, RunSource

MB = 1_000_000
FILE_BYTES = 128 << 20  # of text in a data file


def words(rng: np.random.Generator, count: int) -> list[str]:
    """Words of letters as frequent as those of English, short ones first."""
    letters = np.array(list("etaoinshrdlcumwfgypbvkjxqz"))
    weights = 1 / (np.arange(26) + 2.7)
    lengths = np.clip(rng.poisson(np.linspace(2, 8, count)) + 1, 1, 18)
    drawn = rng.choice(letters, int(lengths.sum()), p=weights / weights.sum())
    ends = np.cumsum(lengths)
    return ["".join(drawn[end - size : end]) for end, size in zip(ends, lengths, strict=True)]


def made_texts(rng: np.random.Generator) -> Iterator[str]:
    """Texts of phrases: one to eight words that follow one another again later, as in text."""
    vocabulary = np.array(words(rng, 60_000), object)
    ranks = 1 / (np.arange(len(vocabulary)) + 2.7) ** 1.05
    phrases = [
        " ".join(vocabulary[rng.choice(len(vocabulary), size, p=None if size > 6 else ranks / ranks.sum())])
        for size in rng.integers(1, 6, 40_000)
    ]
    held = np.array(phrases, object)
    weights = 1 / (np.arange(len(held)) + 20)
    cumulative = np.cumsum(weights / weights.sum())
    while True:
        size = int(np.clip(rng.lognormal(5.4, 0.9), 20, 20_000))
        chosen = held[np.minimum(np.searchsorted(cumulative, rng.random(size)), len(held) - 1)]
        lines = np.array_split(chosen, max(1, size // 25))
        yield "\n".join(" ".join(line) for line in lines)


def pool_texts(run: str, rng: np.random.Generator) -> Iterator[str]:
    """Texts of a run's training files, again and again, each time with lines and words in another order of cuts."""
    files = sorted(Path(run).glob("data/*/train-*.parquet"))
    texts = [text for file in files for text in pq.read_table(file, columns=["text"]).column("text").to_pylist()]
    if not texts:
        raise SystemExit(f"{run} has no training files; give the folder of a finished run")
    turn = 0
    while True:
        for number in rng.permutation(len(texts)):
            parts = texts[number].split(" ")
            at = turn * 7 % max(1, len(parts))
            yield " ".join(parts[at:] + parts[:at])
        turn += 1


def make_run(folder: Path, size: int, texts: Iterator[str]) -> list[MixFile]:
    """A run of `size` bytes of text in files of FILE_BYTES, with its index and candidates."""
    schema = data_schema(["words"])
    files: list[MixFile] = []
    ids: list[str] = []
    while size > 0:
        path = folder / "run" / "data" / "human" / f"train-{len(files):05d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        kept: list[dict[str, Any]] = []
        with pq.ParquetWriter(path, schema, compression="zstd", compression_level=3) as writer:
            written = 0
            while written < min(FILE_BYTES, size):
                rows: list[str] = []
                held = 0
                while held < min(ROW_GROUP_BYTES, size):
                    rows.append(next(texts))
                    held += len(rows[-1].encode())
                names = [xxhash.xxh3_128_hexdigest(str(len(ids) + row).encode()) for row in range(len(rows))]
                ids += names
                constant = {
                    "language": "eng_Latn", "language_score": 0.98, "provenance_label": "human", "p_human": 0.9,
                    "p_machine_translated": 0.05, "p_ai_generated": 0.05, "source_file": "a.warc.gz", "split": "train",
                    "page_type": "article", "cluster_size": 1, "mix_weight": 1.0, "words": 100, "source_offset": 0,
                }  # fmt: skip
                columns: dict[str, Any] = {name: [value] * len(rows) for name, value in constant.items()}
                columns |= {name: [[]] * len(rows) for name in ("evidence", "personal_data", "benchmarks", "cuts")}
                columns |= {"doc_id": names, "cluster_id": names, "text": rows}
                columns["url"] = [f"https://www.{name[:5]}.example/{name[5:12]}" for name in names]
                nothing = [None] * len(rows)
                arrays = [pa.array(columns.get(field.name, nothing), field.type) for field in schema]
                writer.write_table(pa.table(arrays, schema=schema))
                kept += [{"doc_id": name, "tokens": len(text.encode())} for name, text in zip(names, rows, strict=True)]
                written += held
        size -= written
        number = len(files)
        made: dict[str, Any] = {
            "row": range(len(kept)), "origin": "real", "fresh": True, "language": "eng", "page_type": "article",
            "group": "measured", "label": "human", "key": range(len(kept)), "host": 0,
        }  # fmt: skip
        made |= {name: [one[name] for one in kept] for name in ("doc_id", "tokens")}
        arrays = [
            pa.array([made.get(f.name)] * len(kept) if not hasattr(made.get(f.name), "__len__")
                     or isinstance(made.get(f.name), str) else list(made[f.name]), f.type)
            for f in CANDIDATES
        ]  # fmt: skip
        (folder / "candidates").mkdir(exist_ok=True)
        write_arrow(candidates_path(folder / "candidates", number), pa.table(arrays, schema=CANDIDATES))
        files.append(MixFile(InputFile(number, "web", str(path)), str(folder / "run"), "aaaa"))
    (folder / "run" / "index").mkdir()
    ids.sort()
    index = {"doc_id": ids, "cluster_id": ids, "source_file": ["a"] * len(ids), "source_offset": [0] * len(ids)}
    index |= {
        "role": [3] * len(ids),
        "sketch": [os.urandom(1024) for _ in ids],
        "bands": [os.urandom(112) for _ in ids],
    }
    arrays = [pa.array(index.get(f.name, [None] * len(ids)), f.type) for f in INDEX]
    path = folder / "run" / "index" / "part-00000-of-00001.parquet"
    pq.write_table(pa.table(arrays, schema=INDEX), path, row_group_size=1 << 14, compression="zstd")
    return files


def take_all(candidates: pa.Table, source: str) -> Any:
    """Every document once."""
    return np.ones(candidates.num_rows, np.int32)


def plain_copy(files: list[MixFile], folder: Path) -> None:
    """The columns that a mix takes from a run, copied as they are."""
    for file in files:
        with pq.ParquetFile(file.input.path) as data:
            columns = [name for name in ("doc_id", *READ_COLUMNS) if name in data.schema_arrow.names]
            schema = pa.schema([data.schema_arrow.field(name) for name in columns])
            target = folder / f"{file.input.number}.parquet"
            with pq.ParquetWriter(target, schema, compression="zstd", compression_level=3) as writer:
                for batch in data.iter_batches(columns=columns, use_threads=False):
                    writer.write_batch(batch)


def write_files(files: list[MixFile], plan: ChoosePlan, spent: dict[str, float] | None = None) -> None:
    """All that `WriteMix` calls, in this process: measure, cut, shards, ledger, manifest."""
    spent = {} if spent is None else spent

    def timed(name: str, call: Callable[[], Any]) -> Any:
        began = time.process_time()
        value = call()
        spent[name] = spent.get(name, 0.0) + time.process_time() - began
        return value

    sizes: dict[str, int] = {}
    for file in files:
        for group, size in timed("measure", partial(measure_file, file, plan)).items():
            sizes[group] = sizes.get(group, 0) + size
    counts = shard_counts(sizes, plan)
    pieces: dict[str, list[Piece]] = {}
    for number, file in enumerate(files):
        for piece in timed("cut", partial(cut_file, file, number, plan, counts)).pieces:
            pieces.setdefault(piece.target, []).append(piece)
    for number in range(counts["data/train"]):
        name = file_name("data/train", number, counts["data/train"], plan.form)
        timed("shards", partial(write_shard, plan.root, name, plan.form, pieces.get(name, [])))
    indexes = {files[0].folder: index_files(files[0].folder)}
    for number in range(counts[INDEX_GROUP]):
        name = file_path(INDEX_GROUP, number, counts[INDEX_GROUP])
        timed("ledger", partial(write_ledger_part, plan.root, name, pieces.get(name, []), indexes))


def survey_files(files: list[MixFile], folder: Path) -> None:
    """What comes before the plan: candidates of every file, in another folder."""
    (folder / "survey").mkdir()
    recipe = MixRecipe(sources=(RunSource(name="web", run=files[0].folder),))
    plan = plan_survey(recipe, folder / "survey", {})
    for file in files:
        survey_file(plan, file.input)


def plan_of(folder: Path, files: list[MixFile], form: str, weights_only: bool) -> ChoosePlan:
    """Plan of a mix that has every document once, in a fresh folder."""
    for name in ("mix", "pieces"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()
    root, candidates, pieces = (str(folder / name) for name in ("mix", "candidates", "pieces"))
    return ChoosePlan(root, candidates, pieces, take_all, form=form, weights_only=weights_only, files=len(files))


def cpu(call: Callable[[], Any]) -> float:
    """CPU seconds of a call in this process."""
    gc.collect()
    began = time.process_time()
    call()
    return time.process_time() - began


def peak_of(queue: Any, folder: Path, files: list[MixFile]) -> None:
    """In a process of its own: the largest memory of the calls, beyond the imports. MB.

    Mapped files are counted by the kernel as long as they are mapped, so that what is measured is what is not mapped.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    before = anonymous()
    peak = [0]
    plan = plan_of(folder, files, "parquet", False)
    import threading

    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.01):
            peak[0] = max(peak[0], anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    write_files(files, plan)
    stop.set()
    watcher.join()
    queue.put((max(peak[0] - before, 0) / 1000, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000))


def anonymous() -> int:
    """Resident memory of this process that is no mapped file. kB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("RssAnon:")[2].split()[0])


def main() -> None:
    """Build the input, time both sides in pairs, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", help="a finished run whose texts are repeated; without it texts are made")
    parser.add_argument("--text", type=int, default=256, help="MB of text of the timed input")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--formats", default="parquet", help="comma between them; parquet is timed in pairs")
    parser.add_argument("--memory", type=int, default=0, help="MB of text of the smallest size; 0 leaves memory out")
    parser.add_argument("--json", help="file for the figures")
    given = parser.parse_args()
    pa.set_cpu_count(1)
    found: dict[str, Any] = {"pool": bool(given.pool), "text_mb": given.text}

    def texts() -> Iterator[str]:
        rng = np.random.default_rng(7)
        return pool_texts(given.pool, rng) if given.pool else made_texts(rng)

    with tempfile.TemporaryDirectory(prefix="headwater-mix-") as name:
        folder = Path(name)
        if given.pairs:
            (folder / "timed").mkdir()
            files = make_run(folder / "timed", given.text * MB, texts())
            columns = [pq.read_table(file.input.path, columns=["text"]).column("text") for file in files]
            size = sum(pc.sum(pc.binary_length(column)).as_py() for column in columns) / MB
            documents = sum(map(len, columns))
            del columns
            disk = sum(Path(file.input.path).stat().st_size for file in files) / MB
            print(f"{size:.0f} MB of text, {documents} documents in {len(files)} files, {disk:.0f} MB compressed")
            copies, mixes, ratios = [], [], []
            spent: dict[str, float] = {}
            for number in range(given.pairs):
                shutil.rmtree(folder / "copy", ignore_errors=True)
                (folder / "copy").mkdir()
                one = cpu(partial(plain_copy, files, folder / "copy"))
                plan = plan_of(folder / "timed", files, "parquet", False)
                two = cpu(partial(write_files, files, plan, spent))
                copies.append(size / one)
                mixes.append(size / two)
                ratios.append(one / two)
                print(f"pair {number + 1}: copy {size / one:.1f}, mix {size / two:.1f} MB/s, ratio {one / two:.3f}")
            found |= {"copy_mb_s": statistics.median(copies), "mix_mb_s": statistics.median(mixes)}
            found["ratio"] = statistics.median(ratios)
            found["seconds"] = {name: seconds / given.pairs for name, seconds in spent.items()}
            survey = cpu(partial(survey_files, files, folder / "timed"))
            found["survey_mb_s"] = size / survey
            found["ratio_with_survey"] = 1 / (1 / found["ratio"] + survey * found["copy_mb_s"] / size)
            print(f"survey {size / survey:.1f} MB/s; ratio with it {found['ratio_with_survey']:.3f}")
            print(f"median ratio {found['ratio']:.3f}; CPU seconds of a mix: ", end="")
            print(", ".join(f"{name} {seconds:.2f}" for name, seconds in found["seconds"].items()))
            for form in given.formats.split(","):
                if form != "parquet":
                    plan = plan_of(folder / "timed", files, form, form == "weights_only")
                    if form == "weights_only":
                        plan = plan_of(folder / "timed", files, "parquet", True)
                    seconds = cpu(partial(write_files, files, plan))
                    found[form] = size / seconds
                    print(f"{form}: {size / seconds:.1f} MB/s")
            shutil.rmtree(folder / "timed")
        context = multiprocessing.get_context("spawn")
        for scale in (1, 2, 4) if given.memory else ():
            place = folder / f"memory-{scale}"
            place.mkdir()
            files = make_run(place, scale * given.memory * MB, texts())
            queue = context.Queue()
            child = context.Process(target=peak_of, args=(queue, place, files))
            child.start()
            extra, resident = queue.get()
            child.join()
            print(
                f"x{scale} ({scale * given.memory} MB): {extra:.0f} MB beyond the imports ({resident:.0f} MB with maps)"
            )
            found.setdefault("memory_mb", []).append(extra)
            shutil.rmtree(place)
    if given.json:
        Path(given.json).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
