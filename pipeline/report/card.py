"""README.md of a run: a dataset card that `datasets.load_dataset` reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import yaml

from pipeline.report.columns import description, group_columns, type_name
from pipeline.report.figures import SPLITS
from pipeline.report.html import LABEL_NAMES, environment
from schemas.evidence import LABELS

_LANGUAGE = re.compile(r"[a-z]{2,3}")
_SIZES = (
    (10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"), (10**9, "100M<n<1B"), (10**10, "1B<n<10B"), (10**11, "10B<n<100B"), (10**12, "100B<n<1T"),
)  # fmt: skip

SNIPPETS: dict[str, str] = {
    "duckdb": """import duckdb

duckdb.sql(\"\"\"
    select provenance_label, language, count(*) as documents
    from read_parquet('data/*/*.parquet')
    group by all order by documents desc
\"\"\").show()""",
    "polars": """import polars as pl

documents = pl.scan_parquet("data/*/*.parquet")
long = documents.filter(pl.col("text").str.len_chars() > 1_000)
print(long.select("doc_id", "url", "provenance_label", "provenance_reasons").head(10).collect())""",
    "datasets": """from pathlib import Path

from datasets import load_dataset

folder = str(Path.cwd())  # a path with a name: datasets does not take "."
documents = load_dataset(folder, "{config}", split="{split}")
print(documents[0]["url"], documents[0]["provenance_label"])""",
}


def present(data_files: Sequence[str]) -> dict[str, list[str]]:
    """Splits that have files by provenance label, both in their usual order; other folders are left out."""
    found: dict[str, set[str]] = {}
    for name in data_files:
        path = PurePosixPath(name)
        split = path.name.split("-")[0]
        if len(path.parts) == 3 and path.parts[1] in LABELS and split in SPLITS:
            found.setdefault(path.parts[1], set()).add(split)
    return {label: [split for split in SPLITS if split in found[label]] for label in LABELS if label in found}


def front_matter(figures: Mapping[str, Any], labels: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Metadata of the card. Only files under data/ are named, so that dropped/ and failures/ are never loaded."""
    documents = figures["totals"]["documents"]
    languages = [code for code in figures["languages"]["codes"] if _LANGUAGE.fullmatch(code)]
    every = [split for split in SPLITS if any(split in splits for splits in labels.values())]
    configs: list[dict[str, Any]] = []
    if every:
        files = [{"split": split, "path": f"data/*/{split}-*.parquet"} for split in every]
        configs.append({"config_name": "default", "default": True, "data_files": files})
    for label, splits in labels.items():
        files = [{"split": split, "path": f"data/{label}/{split}-*.parquet"} for split in splits]
        configs.append({"config_name": label, "data_files": files})
    return {
        "pretty_name": "Curated web text with provenance",
        **({"language": languages} if languages else {}),
        "license": "other",
        "license_name": "per-document",
        "size_categories": [next((name for limit, name in _SIZES if documents < limit), "n>1T")],
        "task_categories": ["text-generation"],
        "tags": ["common-crawl", "provenance", "headwater"],
        **({"configs": configs} if configs else {}),
    }


def render_card(figures: Mapping[str, Any], data_files: Sequence[str]) -> str:
    """The dataset card. No value of a page is in it: it is Markdown, which cannot be escaped reliably."""
    labels = present(data_files)
    first = next(iter(labels), "unknown")
    split = labels[first][0] if first in labels else "train"
    snippets = {name: text.replace("{config}", first).replace("{split}", split) for name, text in SNIPPETS.items()}
    columns = [(field.name, type_name(field), description(field)) for field in group_columns("data")]
    # Markdown, not HTML: autoescape would write entities into code. Everything that is put in is ours.
    env = environment().overlay(autoescape=False)
    body = env.get_template("card.md.j2").render(
        f=figures, labels_present=labels, names=LABEL_NAMES, snippets=snippets, columns=columns
    )
    head = yaml.safe_dump(front_matter(figures, labels), sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n{body}"
