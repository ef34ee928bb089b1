"""report/index.html and README.md of a mix: functions of its manifest and of its diversity."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

from pipeline.diversity.compare import Metric
from pipeline.diversity.show import html_fragment
from pipeline.mix.rows import MIX_ROW
from pipeline.report.columns import description, type_name
from pipeline.report.html import environment
from pipeline.report.write import publish_text
from schemas.manifest import FileEntry

# Classes of the composition, by (origin, fresh); the colours of the report's bars are those of labels.
PARTS = (
    ("human", "fresh real text"),
    ("", "real text that was used before"),
    ("machine_translated", "grounded synthetic text"),
    ("ai_generated", "ungrounded synthetic text"),
)
CONSTRAINTS_SHOWN = 12
LOADERS = {
    "parquet": """from pathlib import Path

from datasets import load_dataset

mix = load_dataset(str(Path.cwd()), split="train")""",
    "jsonl.zst": """from datasets import load_dataset

mix = load_dataset("json", data_files="data/train-*.jsonl.zst", split="train")""",
    "webdataset": """from glob import glob

import webdataset as wds

mix = wds.WebDataset(sorted(glob("data/train-*.tar")), shardshuffle=False).decode()""",
    "array_record": """import json
from glob import glob

from grain.sources import ArrayRecordDataSource

mix = ArrayRecordDataSource(sorted(glob("data/train-*.array_record")))
first = json.loads(mix[0])""",
}


def part_of(cell: Mapping[str, Any]) -> int:
    """Place in PARTS of a cell."""
    if cell["origin"] == "real":
        return 0 if cell["fresh"] else 1
    return 2 if cell["origin"] == "grounded" else 3


def composition(cells: Sequence[Mapping[str, Any]], column: str | None = None) -> list[dict[str, Any]]:
    """Tokens, rows and documents by value of a column, with the tokens of each of PARTS; largest first."""
    found: dict[str, dict[str, Any]] = defaultdict(
        lambda: {"parts": [0] * len(PARTS), "tokens": 0, "documents": 0, "copies": 0, "stock_tokens": 0}
    )
    for cell in cells:
        row = found[str(cell[column]) if column else PARTS[part_of(cell)][1]]
        row["parts"][part_of(cell)] += cell["tokens"]
        for name in ("tokens", "documents", "copies", "stock_tokens"):
            row[name] += cell[name]
    rows = [{"key": key, **row} for key, row in found.items() if row["tokens"]]
    if column is None:
        order = [name for _, name in PARTS]
        return sorted(rows, key=lambda row: order.index(row["key"]))
    return sorted(rows, key=lambda row: (-row["tokens"], row["key"]))


def name_of(report: Mapping[str, Any]) -> str:
    """What a constraint is about, in words."""
    where = ", ".join(f"{column} {value}" for column, value in report["stratum"].items()) or "the whole mix"
    names = {
        "caps.grounded": "grounded synthetic text",
        "caps.ungrounded": "ungrounded synthetic text, suspected AI text included",
        "caps.host": "largest host",
        "repeats": "copies of a document",
        "budget": "size of the mix",
    }
    return names.get(report["name"]) or f"fresh human text, {where}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.{digits}f}\u00a0%"


def _urgency(report: Mapping[str, Any]) -> tuple[bool, bool, bool, float]:
    """Order of constraints: of the whole mix, then binding ones, then those with least to spare; left out last."""
    slack = report["slack"]
    return bool(report["stratum"]), slack is None, not report["binding"], slack or 0.0


def _values(manifest: Mapping[str, Any]) -> dict[str, Any]:
    plan = manifest["plan"]
    cells = plan["cells"]
    shares = sorted((one for one in plan["constraints"] if one["name"] not in ("repeats", "budget")), key=_urgency)
    return {
        "m": manifest,
        "plan": plan,
        "parts": PARTS,
        "whole": composition(cells),
        "by_source": composition(cells, "source"),
        "by_language": composition(cells, "language"),
        "shares": shares[:CONSTRAINTS_SHOWN],
        "more_shares": shares[CONSTRAINTS_SHOWN:],
        "repeats": next(one for one in plan["constraints"] if one["name"] == "repeats"),
        "files": [one for one in manifest["files"] if one["path"].startswith(("data/", "weights/"))],
        "form": manifest["recipe"]["output"]["format"],
        "weights_only": manifest["recipe"]["output"]["weights_only"],
    }


def render_report(manifest: Mapping[str, Any], metrics: Sequence[Metric]) -> str:
    """The report as HTML."""
    env = environment()
    env.globals.update(name_of=name_of, percent=percent)
    recipe = yaml.safe_dump(manifest["recipe"], sort_keys=False, allow_unicode=True)
    values = _values(manifest)
    return env.get_template("mix.html.j2").render(**values, diversity=html_fragment(metrics), recipe=recipe)


def render_card(manifest: Mapping[str, Any]) -> str:
    """The dataset card as Markdown, with the metadata that `datasets` reads."""
    env = environment()
    env.globals.update(name_of=name_of, percent=percent)
    splits = [
        {"split": split, "path": f"data/{split}-*"}
        for split in ("train", "validation")
        if any(one["path"].startswith(f"data/{split}-") for one in manifest["files"])
    ]
    values = _values(manifest)
    front: dict[str, Any] = {"tags": ["headwater", "mix"]}
    if values["form"] in ("parquet", "jsonl.zst") and splits:
        front["configs"] = [{"config_name": "default", "data_files": splits}]
    columns = [(field.name, type_name(field), description(field)) for field in MIX_ROW]
    return env.get_template("mix_card.md.j2").render(
        **values,
        front=Markup(yaml.safe_dump(front, sort_keys=False, allow_unicode=True)),
        columns=columns,
        loader=Markup(LOADERS[values["form"]]),
    )


def write_report(root: Path, manifest: Mapping[str, Any], metrics: Sequence[Metric]) -> list[FileEntry]:
    """Write report/index.html and README.md of a mix."""
    return [
        publish_text(root, "README.md", render_card(manifest)),
        publish_text(root, "report/index.html", render_report(manifest, metrics)),
    ]
