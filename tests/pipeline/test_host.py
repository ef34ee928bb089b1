"""The host: a child that hangs, crashes or is killed costs the record that it worked on, and nothing else."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from pipeline.host import DETECTING, EXTRACTING, READING, Host, HostError, HostTask, arm_cpu_limit


def survey(bad: dict[int, str], folder: str, *, lost: dict[int, Any], careful: bool, progress: Any) -> dict[str, Any]:
    """Ten records; some end the process."""
    seen = []
    for offset in range(10):
        if offset in lost:
            seen.append((offset, lost[offset].code))
            continue
        progress.pages += 1
        phase = DETECTING if bad.get(offset) == "detect" else EXTRACTING
        progress.publish(phase, offset if careful or phase == EXTRACTING else 0)
        arm_cpu_limit(0.3)
        how = bad.get(offset)
        if how == "hang":
            while True:
                pass
        if how in ("abort", "detect"):
            os.abort()
        if how == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "killed once" and not Path(folder, "once").exists():
            Path(folder, "once").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        arm_cpu_limit(0)
        progress.publish(READING, offset)
        seen.append((offset, "read"))
    return {"seen": seen, "pid": os.getpid()}


@pytest.fixture
def host() -> Any:
    made = Host(2, preload="schemas")
    yield made
    made.close(kill=True)


@pytest.mark.parametrize(
    ("how", "code"),
    [("hang", "cpu_limit"), ("abort", "crash"), ("segfault", "crash"), ("killed", "killed"), ("detect", "crash")],
)
def test_a_death_costs_one_record(host: Host, tmp_path: Path, how: str, code: str) -> None:
    [(key, value)] = host.run([HostTask("k", survey, ({4: how}, str(tmp_path)), guarded=True, name="split")])
    assert key == "k"
    assert value["seen"] == [(n, code if n == 4 else "read") for n in range(10)]


def test_two_bad_records_and_other_tasks(host: Host, tmp_path: Path) -> None:
    tasks = [
        HostTask(n, survey, ({2: "abort", 7: "hang"} if n == 1 else {}, str(tmp_path)), guarded=True, name=str(n))
        for n in range(4)
    ]
    results = dict(host.run(tasks))
    assert sorted(results) == [0, 1, 2, 3]
    assert [code for _, code in results[1]["seen"]].count("read") == 8
    assert all(code == "read" for n in (0, 2, 3) for _, code in results[n]["seen"])


def test_a_kill_from_outside_loses_nothing(host: Host, tmp_path: Path) -> None:
    [(_, value)] = host.run([HostTask("k", survey, ({4: "killed once"}, str(tmp_path)), guarded=True, name="split")])
    assert [code for _, code in value["seen"]] == ["read"] * 10


def fail() -> None:
    raise ValueError("told")


def die() -> None:
    os.abort()


def test_errors_of_the_function_arrive(host: Host) -> None:
    with pytest.raises(ValueError, match="told"):
        list(host.run([HostTask("k", fail, ())]))


def test_a_plain_task_that_always_dies_is_an_error(host: Host) -> None:
    with pytest.raises(HostError, match="three times"):
        list(host.run([HostTask("k", die, (), name="writing")]))
