"""`headwater collapse`: what becomes of models that are trained on their own output."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from pipeline.options import common_options
from pipeline.progress import Reporter
from pipeline.runs import RunError
from schemas.config import ConfigError

_SHARES = (0.01, 0.99)  # a generation of the regression has 400 rows: less than a hundredth would be a few rows


@click.command()
@click.argument("inputs", nargs=-1, metavar="[INPUT]...")
@click.option("--output", required=True, type=click.Path(), help="Folder of collapse.json, index.html and the plots.")
@click.option(
    "--fresh",
    multiple=True,
    type=click.FloatRange(*_SHARES),
    help="Share of fresh human text in each generation; may be given several times (default 0.1 and 0.3).",
)
@click.option("--mix", type=click.Path(), help="Folder of a mix, whose share of fresh human text is simulated too.")
@click.option(
    "--temperature",
    "temperatures",
    multiple=True,
    type=click.FloatRange(0.1, 2.0),
    help="Of sampling; may be given several times (default 0.8 and 1.0).",
)
@click.option("--generations", type=click.IntRange(2, 100), default=8, show_default=True, help="Models in a row.")
@click.option("--seeds", type=click.IntRange(2, 100), default=5, show_default=True, help="Repetitions, for intervals.")
@click.option(
    "--tokens",
    type=click.IntRange(1_000, 10_000_000),
    help="Tokens that each model is trained on (default: as many as the text allows, up to 100,000).",
)
@click.option("--theory-only", is_flag=True, help="Only the cases that can be calculated; no text is read.")
@click.option("--text-column", default="text", show_default=True, help="Text column of text tables.")
@click.option("--workers", type=click.IntRange(1), help="Threads (default: one per core).")
@common_options
def collapse(inputs: tuple[str, ...], output: str, mix: str | None, theory_only: bool, **options: Any) -> None:
    """Simulate generations of models that are trained on their own output, with and without fresh human text.

    INPUT is text of people: text tables (Parquet, JSONL), folders of runs (their training documents labelled human or
    unknown) or of mixes (their real documents). Without INPUT, that of --mix; without both, only the regression and
    the Gaussian case, which can be calculated.
    """
    from pipeline.collapse.inputs import fresh_share_of
    from pipeline.collapse.job import Options, collapse_figures
    from pipeline.collapse.page import draw_charts, render_page
    from pipeline.report.write import publish_text

    reporter = Reporter(options["quiet"], options["json_log"])
    shares = set(options["fresh"] or (0.1, 0.3))
    share = None if mix is None else fresh_share_of(mix)
    if share is not None:
        if share > _SHARES[1]:
            raise ConfigError(f"{mix}: all of the mix is fresh human text, so that nothing can collapse")
        if share >= _SHARES[0]:
            shares.add(share)
        else:
            reporter.say(f"{mix}: {100 * share:.2g} % fresh human text is as none; see `replace`")
    given = [] if theory_only else list(inputs) or ([mix] if mix is not None else [])
    if not given and not theory_only:
        reporter.say("No INPUT: only the regression and the Gaussian case. Give text of people to simulate on it.")
    folder = _prepare(Path(output))
    settings = Options(
        fresh=tuple(sorted(shares)),
        temperatures=tuple(dict.fromkeys(options["temperatures"] or (0.8, 1.0))),
        generations=options["generations"],
        seeds=options["seeds"],
        tokens=options["tokens"],
    )
    workers = options["workers"] or len(os.sched_getaffinity(0))
    figures = collapse_figures(given, options["text_column"], settings, workers, reporter)
    figures["mix"] = None if mix is None else {"path": mix, "fresh_human_share": share}
    folder.mkdir(parents=True, exist_ok=True)
    for old in [folder / "collapse.json", *folder.glob("*.svg")]:
        old.unlink(missing_ok=True)
    for name, chart in draw_charts(figures, standalone=True).items():
        publish_text(folder, f"{name}.svg", chart)
    publish_text(folder, "index.html", render_page(figures))
    publish_text(folder, "collapse.json", json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    for case in (figures["text"] or {"cases": []})["cases"]:
        first, last = case["figures"]["perplexity"]["mean"][0], case["figures"]["perplexity"]["mean"][-1]
        reporter.say(
            f"temperature {case['temperature']:g}, {case['title']}: perplexity {first:,.0f} to {last:,.0f}"
            + ("; collapses" if case["collapses"] else "")
        )
    reporter.say(f"Look at {folder}/index.html")


def _prepare(folder: Path) -> Path:
    """The output folder, checked before any work: ours, empty or not there.

    Raises:
        RunError: it is a file, or holds something else.
    """
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file; --output needs a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "collapse.json").exists():
        raise RunError(f"{folder} is not empty and not of `headwater collapse`; give another --output")
    return folder
