"""The `headwater` command. Beam is imported only by the command that needs it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from pipeline.collapse.command import collapse
from pipeline.detector_commands import detectors
from pipeline.diversity.diversity_command import diversity
from pipeline.extractor_commands import extractor
from pipeline.minhash_command import minhash
from pipeline.mix.command import mix
from pipeline.options import common_options, config_of, controls_option, input_options, seen_option, start_children
from pipeline.progress import Reporter
from pipeline.provenance_commands import calibrate, controls, explain, prevalence
from pipeline.read.storage import InputError
from pipeline.runs import RunError, headwater_version, verify_run
from pipeline.seen_commands import seen
from pipeline.synthesize.command import synthesize
from pipeline.teacher_commands import teach
from schemas.config import ConfigError, load_config

EXIT_DONE, EXIT_UNEXPECTED, EXIT_USAGE, EXIT_FAILURES, EXIT_VERIFY, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 5


class Interrupted(Exception):
    """The run was asked to stop."""


@contextlib.contextmanager
def stopping_on_signals() -> Iterator[list[int]]:
    """Turn Ctrl-C and termination into `Interrupted`; the list holds the signals that came."""
    came: list[int] = []

    def stop(number: int, _: Any) -> None:
        came.append(number)
        raise Interrupted

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(headwater_version(), prog_name="headwater")
def cli() -> None:
    """Curated training text from web archives, with the origin of every document on record.

    \b
    headwater curate --output out                       the bundled sample
    headwater curate crawl/*.warc.gz --output out       your archives
    headwater verify out                                recount and rehash a run

    Exit codes: 0 done, 1 unexpected error, 2 usage or configuration, 3 too many failures, 4 verification failed,
    5 interrupted (the same command goes on).
    """


@cli.command(epilog="Options after -- go to Apache Beam: headwater curate IN --output OUT -- --runner=PortableRunner")
@click.argument("inputs", nargs=-1, metavar="[INPUT]...")
@click.option(
    "--output", required=True, type=click.Path(), help="Folder of the run; made if missing, resumed if unfinished."
)
@click.option("--keep-staged", is_flag=True, help="Keep the staged shards of the run.")
@seen_option
@controls_option
@input_options
@common_options
def curate(inputs: tuple[str, ...], output: str, keep_staged: bool, **options: Any) -> None:
    """Curate archives into Parquet splits with provenance; without INPUT, the bundled sample.

    INPUT is a file, folder, glob or address (s3://, gs://, https://): WARC, ARC or WET, compressed or not; a table
    (Parquet, CSV, JSONL) of file, offset and length; a Parquet or JSONL table that holds text; or a crawl of Common
    Crawl, cc:CC-MAIN-2024-10?warcs=0:10.
    """
    reporter = Reporter(options["quiet"], options["json_log"])
    config = config_of(options)
    workers = start_children(options, reporter)
    from pipeline.job import curate_job

    _exit(
        curate_job(
            list(inputs),
            Path(output),
            config,
            workers=workers,
            split_size=options["split_size"],
            beam_options=list(click.get_current_context().obj or []),
            reporter=reporter,
            keep_staged=keep_staged,
        )
    )


@cli.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "--output", required=True, type=click.Path(), help="FILE.parquet, FILE.jsonl, or - for JSONL on standard output."
)
@input_options
@common_options
def extract(inputs: tuple[str, ...], output: str, **options: Any) -> None:
    """Main text and page signals of every page; nothing is filtered, one row a page."""
    _exit(_tabulate("extract", inputs, output, options))


@cli.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "--output", required=True, type=click.Path(), help="FILE.parquet, FILE.jsonl, or - for JSONL on standard output."
)
@controls_option
@input_options
@common_options
def score(inputs: tuple[str, ...], output: str, **options: Any) -> None:
    """Every detector on every document; nothing is filtered or deduplicated, rows out = rows in."""
    _exit(_tabulate("score", inputs, output, options))


@cli.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--output", required=True, type=click.Path(), help="Folder of pairs.parquet and clusters.parquet.")
@click.option("--url/--no-url", default=False, help="Captures of one address are copies, whatever their text.")
@input_options
@common_options
def duplicates(inputs: tuple[str, ...], output: str, url: bool, **options: Any) -> None:
    """Verified pairs and clusters of duplicates among the documents of any text collection.

    Exact and near duplicates, by the settings of `policy.duplicates` in the configuration.
    """
    reporter = Reporter(options["quiet"], options["json_log"])
    config = config_of(options)
    policy = config.policy.duplicates.model_copy(update={"url": url})
    config = config.model_copy(update={"policy": config.policy.model_copy(update={"duplicates": policy})})
    workers = start_children(options, reporter)
    from pipeline.duplicates_job import duplicates_job

    _exit(
        duplicates_job(
            list(inputs),
            Path(output),
            config,
            workers=workers,
            split_size=options["split_size"],
            reporter=reporter,
        )
    )


@cli.command()
@click.argument("run", type=click.Path())
@common_options
def verify(run: str, **options: Any) -> None:
    """Recount and rehash a finished run, a mix or ingested text; exit code 4 where it is not what its manifest says."""
    reporter = Reporter(options["quiet"], options["json_log"])
    began = time.monotonic()
    manifest, problems = _verify(Path(run))
    for problem in problems:
        click.echo(problem)
    if problems:
        reporter.say(f"{run}: {len(problems)} problems; the files are not those that were written")
        _exit(EXIT_VERIFY)
    reporter.say(f"{run}: every file and count is as {manifest} says ({time.monotonic() - began:.1f} s)")


def _verify(path: Path) -> tuple[str, list[str]]:
    """Name of the manifest of a folder, and what is wrong."""
    if (path / "mix.json").is_file():
        from pipeline.mix.verify import verify_mix

        return "mix.json", verify_mix(path)
    if (path / "synthetic.json").is_file():
        from pipeline.synthesize.ingest import verify_ingest

        return "synthetic.json", verify_ingest(path)
    return "run.json", verify_run(path)


@cli.group()
def config() -> None:
    """Configuration files."""


@config.command("show")
@click.argument("path", required=False, type=click.Path(dir_okay=False))
def config_show(path: str | None) -> None:
    """The configuration with every default spelled out, as YAML."""
    import yaml

    click.echo(yaml.safe_dump(load_config(path).plain(), sort_keys=False, allow_unicode=True), nl=False)


@config.command("schema")
def config_schema() -> None:
    """JSON Schema of the configuration, for editors."""
    from schemas.config import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


cli.add_command(detectors)
cli.add_command(extractor)
cli.add_command(controls)
cli.add_command(explain)
cli.add_command(seen)
cli.add_command(minhash)
for command in (mix, collapse, diversity, synthesize):
    cli.add_command(command)
for command in (calibrate, prevalence, teach):
    detectors.add_command(command)


def _exit(code: int) -> None:
    click.get_current_context().exit(code)


def _tabulate(kind: Any, inputs: Sequence[str], output: str, options: dict[str, Any]) -> int:
    reporter = Reporter(options["quiet"], options["json_log"])
    config = config_of(options)
    workers = start_children(options, reporter)
    from pipeline.job import table_job

    return table_job(
        kind, list(inputs), output, config, workers=workers, split_size=options["split_size"], reporter=reporter
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point: splits off the options of Beam, and turns expected errors into messages and exit codes."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    beam_options: list[str] = []
    if arguments[:1] in (["curate"], ["mix"]) and "--" in arguments:  # other commands give -- its usual meaning
        at = arguments.index("--")
        arguments, beam_options = arguments[:at], arguments[at + 1 :]
    from pipeline.host import close_shared_host

    # Beam logs a line per retry and per missing optional package; what matters reaches the user as an exception.
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    for name in ("root", "apache_beam"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    code = EXIT_DONE
    with stopping_on_signals() as came:
        try:
            code = cli.main(arguments, prog_name="headwater", standalone_mode=False, obj=beam_options) or 0
        except click.ClickException as error:
            error.show()
            code = EXIT_USAGE
        except (ConfigError, InputError, RunError) as error:
            _complain(plain_message(error), arguments)
            code = EXIT_USAGE
        except (Interrupted, KeyboardInterrupt, click.Abort):
            code = _interrupted(arguments)
        except SystemExit as end:  # 1 is click's answer to a reader that went away, as `head` does
            code = EXIT_DONE if end.code == 1 else EXIT_USAGE
        except Exception as error:  # what is finished is kept, so every other end is an interruption
            code = _interrupted(arguments) if came else _broken(error, arguments)
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            close_shared_host(kill=True)  # whatever they did is done or in vain
    sys.exit(code)


def plain_message(error: BaseException) -> str:
    """First line of an error, without what Beam adds to it."""
    text = (str(error).splitlines() or [""])[0]
    return re.sub(r" \[while running '[^']*'\]$", "", text)


def _broken(error: Exception, arguments: Sequence[str]) -> int:
    """An error that the command does not know: its first line, and the trace for a report."""
    kept = "What is finished is kept; the same command goes on from there." if "curate" in arguments else ""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, (OSError, InputError)):
        cause = cause.__cause__
    message = plain_message(cause or error)
    if cause is not None or "[Errno" in message:
        _complain(f"{message.removeprefix('OSError: ')}. {kept}".strip(), arguments)
        return EXIT_USAGE if isinstance(cause, InputError) else EXIT_INTERRUPTED
    path = Path(tempfile.gettempdir()) / f"headwater-{os.getpid()}.log"
    path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    _complain(f"{type(error).__name__}: {message}. {kept} The trace is in {path}.", arguments)
    return EXIT_UNEXPECTED


def _complain(message: str, arguments: Sequence[str] = ()) -> None:
    if "--json-log" in arguments:
        click.echo(json.dumps({"error": message}), err=True)
    else:
        click.echo(f"headwater: {message}", err=True)


def _interrupted(arguments: Sequence[str]) -> int:
    kept = "Finished splits are kept; the same command goes on from there."
    _complain(f"interrupted. {kept if 'curate' in arguments else 'Nothing was written.'}", arguments)
    return EXIT_INTERRUPTED
