"""`headwater seen`: what finished runs hold, which of their pages match, and take-down."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from pipeline.options import common_options
from pipeline.progress import Reporter
from pipeline.runs import RunError

_SHOWN = 20  # ids that a message names


@click.group()
def seen() -> None:
    """Earlier runs: what they hold, which of their pages match, and take-down.

    RUN is the folder of a finished run. `headwater curate --seen RUN` does not keep again what RUN holds.
    """


@seen.command("info")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option("--json", "as_json", is_flag=True, help="JSON lines in the place of a table.")
def seen_info(runs: tuple[Path, ...], as_json: bool) -> None:
    """Documents, capture times and parameters of the indexes of runs."""
    from pipeline.index import read_index
    from pipeline.seen_query import describe_run

    found = [describe_run(read_index(run)) for run in runs]
    for run in found:
        click.echo(json.dumps(run, ensure_ascii=False) if as_json else _table(run))


def _table(run: dict[str, Any]) -> str:
    dropped = ", ".join(f"{reason} {count:,}" for reason, count in run["dropped"].items())
    rows = [
        ("run", run["run"]),
        ("index version", run["version"]),
        ("documents", f"{run['documents']:,}"),
        ("kept", f"{run['kept']:,}"),
        ("dropped", f"{sum(run['dropped'].values()):,}" + (f" ({dropped})" if dropped else "")),
        ("taken down", f"{run['taken_down']:,}"),
        ("captured", f"{run['first']} to {run['last']}" if run["first"] else "unknown"),
        ("earlier runs", ", ".join(run["seen"]) or "none"),
        *(
            ("parameter" if not n else "", f"{key}: {value}")
            for n, (key, value) in enumerate(run["parameters"].items())
        ),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join([run["folder"], *(f"  {name:<{width}}  {value}" for name, value in rows)])


@seen.command("query")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option("--url", "urls", multiple=True, help="An address, however it is spelled; may be repeated.")
@click.option("--doc-id", "doc_ids", multiple=True, help="A document of one of the runs; may be repeated.")
@click.option("--record", "records", multiple=True, help="A WARC-Record-ID, or the id of a text table; likewise.")
@click.option("--text", "texts", multiple=True, type=click.Path(), help="A file of text (UTF-8), or - ; likewise.")
@click.option(
    "--similarity", type=click.FloatRange(0, 1, min_open=True), help="Smallest similarity (default: the run's)."
)
@common_options
def seen_query(
    runs: tuple[Path, ...],
    urls: tuple[str, ...],
    doc_ids: tuple[str, ...],
    records: tuple[str, ...],
    texts: tuple[str, ...],
    similarity: float | None,
    **options: Any,
) -> None:
    """Which pages of earlier runs match, as JSON lines on standard output; none where nothing does.

    `match` says how: document (the same record), url (the same address), text (equal words), near (a verified
    similarity of their shingles). A document is compared by its own keys, so that its copies are found too.
    """
    reporter = Reporter(options["quiet"], options["json_log"])
    if not (urls or doc_ids or records or texts):
        raise click.UsageError("say what to look for: --url, --doc-id, --record or --text")
    from pipeline.seen_query import (
        documents_of_records,
        find_matches,
        open_runs,
        queries_of_documents,
        query_of_address,
        query_of_text,
    )
    from pipeline.take_down import read_ids

    contents = [(name, _read_text(name)) for name in texts]
    wanted = {doc_id: doc_id for doc_id in read_ids(doc_ids, "--doc-id")}
    indexes, config = open_runs(runs)
    by_record = documents_of_records(indexes, records)
    wanted.update(by_record)
    for record in sorted(set(records) - set(by_record.values())):
        reporter.say(f"{record}: no such record in these runs")
    queries = [query_of_address(url) for url in urls]
    queries += queries_of_documents(indexes, wanted)
    queries += [query_of_text("standard input" if name == "-" else name, text, config) for name, text in contents]
    policy = config.policy.duplicates
    if similarity is not None:
        policy = policy.model_copy(update={"similarity": similarity})
    found: dict[str, int] = dict.fromkeys((query.name for query in queries), 0)
    for index in indexes:
        for row in find_matches(index, queries, policy):
            found[row["query"]] += 1
            click.echo(json.dumps(row, ensure_ascii=False))
    for name, count in found.items():
        if not count:
            reporter.say(f"{name}: nothing matches")


def _read_text(name: str) -> str:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return data.decode("utf-8")
    except OSError as error:
        raise RunError(f"{name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RunError(f"{name} is no UTF-8 text") from None


@seen.command("remove")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option("--ids", type=click.Path(), help="Document ids, one a line, # begins a comment; - is standard input.")
@click.option("--urls", type=click.Path(), help="Addresses, one a line: all their captures go; - is standard input.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="What was found in each run as a JSON line on standard output.")
@common_options
def seen_remove(
    runs: tuple[Path, ...], ids: str | None, urls: str | None, dry_run: bool, as_json: bool, **options: Any
) -> None:
    """Take documents down: out of the data and indexes of runs, and never kept again by a run that has seen these.

    Copies of a removed page that were dropped stay dropped: they are named, and none takes its place. Ids that are in
    no run are named too, and are no error. An interrupted take-down goes on with the same command.
    """
    reporter = Reporter(options["quiet"], options["json_log"])
    if ids is None and urls is None:
        raise click.UsageError("say what to remove: --ids FILE or --urls FILE")
    if ids == urls == "-":
        raise click.UsageError("only one of --ids and --urls can be standard input")
    from pipeline.take_down import read_ids, read_urls, take_down

    wanted = read_ids(_read_text(ids).splitlines(), ids) if ids is not None else []
    addresses = read_urls(_read_text(urls).splitlines()) if urls is not None else []
    missing, missing_urls = set(wanted), set(addresses)
    for run in dict.fromkeys(runs):
        done = take_down(run, wanted, addresses, dry_run)
        if as_json:
            click.echo(json.dumps(asdict(done), ensure_ascii=False))
        missing &= set(done.missing)
        missing_urls &= set(done.missing_urls)
        would = "would go" if dry_run else "gone"
        reporter.say(
            f"{run}: {len(done.kept):,} kept and {len(done.dropped):,} dropped documents {would}, "
            f"{len(done.already):,} had gone before; {len(done.files):,} files"
        )
        if done.dependants:
            copies = _some(sorted({row["doc_id"] for row in done.dependants}))
            reporter.say(f"{run}: these are copies of them, were dropped, and stay dropped: {copies}")
    if missing:
        reporter.say(f"in none of the runs: {_some(sorted(missing))}")
    if missing_urls:
        reporter.say(f"no page of these addresses: {_some(sorted(missing_urls))}")


def _some(values: Iterable[str]) -> str:
    listed = list(values)
    return ", ".join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN:,} more" if len(listed) > _SHOWN else "")
