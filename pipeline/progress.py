"""What a run says while it works: a bar on a terminal, one plain line every 30 seconds elsewhere."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.text import Text

PLAIN_INTERVAL = 30.0


@dataclass(frozen=True, slots=True)
class State:
    """A moment of a run. `pages` and `bytes_read` count finished and running splits of this process."""

    phase: str
    splits_done: int
    splits: int
    pages: int
    bytes_read: int
    bytes_total: int


class Reporter:
    """Messages to standard error: for people, as JSON lines, or none."""

    def __init__(self, quiet: bool = False, json_log: bool = False) -> None:
        self.quiet = quiet
        self.json_log = json_log
        self._console = Console(stderr=True, highlight=False)

    @property
    def is_terminal(self) -> bool:
        """Whether a person watches."""
        return sys.stderr.isatty() and not self.json_log and not self.quiet

    def say(self, message: str, **values: object) -> None:
        """A message; with --json-log its values as fields."""
        if self.json_log:
            print(json.dumps({"message": message, **values}), file=sys.stderr, flush=True)  # noqa: T201
        elif not self.quiet:
            print(message, file=sys.stderr, flush=True)  # noqa: T201

    def watch(self, read_state: Callable[[], State]) -> Watch:
        """Show progress until the returned context ends."""
        return Watch(self, read_state)


class Watch:
    """A thread that reads the state of a run and shows it."""

    def __init__(self, reporter: Reporter, read_state: Callable[[], State]) -> None:
        self._reporter = reporter
        self._read_state = read_state
        self._stop = threading.Event()
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        if not self._reporter.quiet:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        if self._reporter.is_terminal:
            with Live(Text(""), console=self._reporter._console, refresh_per_second=4, transient=True) as live:
                while not self._stop.wait(0.25):
                    live.update(Text(self.line(self._read_state())))
            return
        while not self._stop.wait(PLAIN_INTERVAL):
            state = self._read_state()
            self._reporter.say(self.line(state), pages=state.pages, bytes_read=state.bytes_read, phase=state.phase)

    def line(self, state: State) -> str:
        """One line: phase, pages, speed, splits, time left."""
        seconds = max(time.monotonic() - self._began, 1e-3)
        parts = [
            state.phase,
            f"{state.pages:,} pages",
            f"{state.pages / seconds:,.0f} pages/s",
            f"{state.bytes_read / seconds / 1e6:,.1f} MB/s",
            f"splits {state.splits_done}/{state.splits}",
        ]
        if 0 < state.bytes_read < state.bytes_total:
            left = seconds * (state.bytes_total - state.bytes_read) / state.bytes_read
            parts.append(f"about {_duration(left)} left")
        return " · ".join(parts)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
