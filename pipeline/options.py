"""Options that commands of the command line share, and what they stand for."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from pipeline.progress import Reporter
from schemas.config import CurateConfig, load_config

F = TypeVar("F", bound=Callable[..., Any])


class ByteSize(click.ParamType[int]):
    """A number of bytes, with an optional suffix K, M, G, T (powers of 1024)."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse `64M`, `1G`, `1048576`."""
        text = str(value).strip().upper().removesuffix("B").removesuffix("I")
        factor = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}.get(text[-1:], 1)
        try:
            size = int(float(text[:-1] if factor > 1 else text) * factor)
        except ValueError:
            self.fail(f"{value!r} is no size; write for example 64M", param, ctx)
        if size <= 0:
            self.fail("the size must be over 0", param, ctx)
        return size


def common_options(command: F) -> F:
    """Options that every command has."""
    for option in (
        click.option("--json-log", is_flag=True, help="Messages as JSON lines."),
        click.option("--quiet", is_flag=True, help="No progress and no messages but errors."),
    ):
        command = option(command)
    return command


def input_options(command: F) -> F:
    """Options of commands that read input."""
    for option in (
        click.option("--fetched-at-column", help="Capture time column of text tables (default fetched_at)."),
        click.option("--url-column", help="Address column of text tables (default url)."),
        click.option("--text-column", help="Text column of text tables (default text)."),
        click.option("--id-column", help="Id column of text tables (default id)."),
        click.option(
            "--split-size",
            type=ByteSize(),
            help="Bytes of input that are one unit of work, e.g. 64M (default: chosen).",
        ),
        click.option("--workers", type=click.IntRange(1), help="Child processes (default: one per core)."),
        click.option("--config", "config_path", type=click.Path(dir_okay=False), help="Configuration, YAML."),
    ):
        command = option(command)
    return command


def controls_option(command: F) -> F:
    """The controls that scores are compared with."""
    option = click.option(
        "--controls",
        type=click.Path(dir_okay=False),
        help="Controls of `headwater controls build`: what human text of each kind scores.",
    )
    return option(command)


def seen_option(command: F) -> F:
    """Earlier runs, whose pages are not kept again."""
    option = click.option(
        "--seen",
        multiple=True,
        type=click.Path(),
        help="Folder of an earlier run, whose pages are not kept again; may be given several times.",
    )
    return option(command)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def config_of(options: dict[str, Any]) -> CurateConfig:
    """The configuration file with the command line's column names and controls over it."""
    loaded = load_config(options["config_path"])
    names = ("id_column", "text_column", "url_column", "fetched_at_column")
    given = {name: options[name] for name in names if options.get(name)}
    loaded = loaded.model_copy(update={"read": loaded.read.model_copy(update=given)}) if given else loaded
    if options.get("seen"):
        duplicates = loaded.policy.duplicates.model_copy(update={"seen": tuple(options["seen"])})
        loaded = loaded.model_copy(update={"policy": loaded.policy.model_copy(update={"duplicates": duplicates})})
    if options.get("controls"):
        provenance = loaded.provenance.model_copy(update={"controls": options["controls"]})
        loaded = loaded.model_copy(update={"provenance": provenance})
    return loaded


def start_children(options: dict[str, Any], reporter: Reporter) -> int:
    """Start the child processes before anything heavy is imported here, so that both load at once."""
    from pipeline.host import is_first_run, shared_host

    workers = int(options["workers"] or _cores())
    if is_first_run():
        reporter.say("First run of this installation: native code is compiled once, in about a minute on two cores.")
    shared_host(workers)
    return workers
