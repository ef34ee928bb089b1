"""What tests of several folders share."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class SampleRun:
    """A finished run on the bundled sample. Tests read it and never change it."""

    path: Path
    messages: str
    seconds: float


def headwater(
    *arguments: str | Path, cwd: Path | None = None, timeout: float = 240
) -> subprocess.CompletedProcess[str]:
    """The command as a user calls it, by the interpreter that runs the tests."""
    program = [sys.executable, "-c", "from pipeline.cli import main; main()"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return subprocess.run(
        [*program, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, env=environment, timeout=timeout,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> SampleRun:
    """`headwater curate --output out`, once a session however many workers pytest has."""
    base = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        base = base.parent  # workers share the parent of their folders
    folder = base / "sample_run"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        messages, seconds = folder / "messages", folder / "seconds"
        if not seconds.exists():
            began = time.monotonic()
            done = headwater("curate", "--output", folder / "out")
            assert done.returncode == 0, done.stderr
            messages.write_text(done.stderr, encoding="utf-8")
            seconds.write_text(str(time.monotonic() - began), encoding="utf-8")
    return SampleRun(folder / "out", messages.read_text(encoding="utf-8"), float(seconds.read_text(encoding="utf-8")))
