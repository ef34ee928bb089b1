"""CPU seconds and memory of a command and of everything that it starts.

CPU time is what the kernel charges on `wait4`: it holds the user and system time of every descendant that was reaped.
Descendants that outlive their parent fall to this process (it makes itself a child subreaper), which reaps them and
adds their time. The sum over processes seen in /proc is kept beside it as a lower bound, so that a child whose time
was lost (reaped by a parent that ignores SIGCHLD) shows.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_SAMPLE_SECONDS = 0.2
_SAMPLES_PER_TREE = 5  # sums over processes walk page tables, so they are taken once a second
_TICKS = os.sysconf("SC_CLK_TCK")


class ArmFailed(RuntimeError):
    """A measured command ended with an error; the message names its log."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one run cost. Times in seconds, memory in bytes."""

    cpu: float
    wall: float
    peak_process_bytes: int  # largest resident set that any single process reached
    peak_tree_bytes: int  # largest memory of all processes at one moment, a page shared by n counted 1/n in each (PSS)
    processes: int  # seen in /proc, so without those that lived less than one sample
    sampled_cpu: float  # lower bound of `cpu` from /proc

    def plain(self) -> dict[str, float | int]:
        """JSON-ready values."""
        return asdict(self)


@dataclass(slots=True)
class _Sampler:
    """Peak memory and last known CPU time of the processes below this one."""

    peak_process: int = 0
    peak_tree: int = 0
    samples: int = 0
    cpu: dict[tuple[int, int], float] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            self.sample()

    def stop(self) -> None:
        self._stop.set()

    def sample(self) -> None:
        processes = _processes()
        pids = _descendants(processes, os.getpid())
        for pid in pids:
            _, start, cpu = processes[pid]
            self.cpu[(pid, start)] = cpu
            self.peak_process = max(self.peak_process, _kibibytes(pid, "status", "VmHWM:"))
        if self.samples % _SAMPLES_PER_TREE == 0:
            self.peak_tree = max(self.peak_tree, sum(_kibibytes(pid, "smaps_rollup", "Pss:") for pid in pids))
        self.samples += 1


def _processes() -> dict[int, tuple[int, int, float]]:
    """pid -> (parent, start time in ticks, CPU seconds) of every process."""
    found: dict[int, tuple[int, int, float]] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            text = Path("/proc", name, "stat").read_text(errors="replace")
        except OSError:
            continue  # it has just ended
        values = text[text.rindex(")") + 2 :].split()
        cpu = (int(values[11]) + int(values[12])) / _TICKS
        found[int(name)] = (int(values[1]), int(values[19]), cpu)
    return found


def _descendants(processes: Mapping[int, tuple[int, int, float]], root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for pid, (parent, *_) in processes.items():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    pending = list(children.get(root, ()))
    while pending:
        pid = pending.pop()
        found.append(pid)
        pending.extend(children.get(pid, ()))
    return found


def _kibibytes(pid: int, file: str, name: str) -> int:
    """A field of /proc/<pid>/<file>, in bytes; 0 where the process has ended."""
    try:
        for line in Path("/proc", str(pid), file).read_text(errors="replace").splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _become_subreaper() -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed; Linux 3.4 or newer is needed")


def run_measured(command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> Usage:
    """Run `command` to its end and measure it with all its descendants. Output goes to `log`.

    Raises:
        ArmFailed: it ended with another status than 0.
    """
    _become_subreaper()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        started = time.monotonic()
        child = subprocess.Popen(
            command, env=dict(environment), cwd=folder, stdout=output, stderr=output, start_new_session=True
        )
        sampler = _Sampler()
        thread = threading.Thread(target=sampler.run, daemon=True)
        thread.start()
        try:
            _, status, used = os.wait4(child.pid, 0)
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)
            raise
        finally:
            wall = time.monotonic() - started
            sampler.stop()
            thread.join()
        child.returncode = os.waitstatus_to_exitcode(status)  # so that Popen does not wait again
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss * 1024
    more_cpu, more_peak = _reap_orphans()
    if child.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
        raise ArmFailed(f"{command[0]} ended with {child.returncode}; see {log}\n{tail}")
    return Usage(
        cpu=cpu + more_cpu,
        wall=wall,
        peak_process_bytes=max(peak, more_peak, sampler.peak_process),
        peak_tree_bytes=sampler.peak_tree,
        processes=len(sampler.cpu),
        sampled_cpu=sum(sampler.cpu.values()),
    )


def _reap_orphans() -> tuple[float, int]:
    """CPU seconds and largest resident set of descendants that outlived the command; still running ones are ended."""
    cpu, peak = 0.0, 0
    deadline = time.monotonic() + 10
    while True:
        try:
            pid, _, used = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return cpu, peak
        if pid:
            cpu += used.ru_utime + used.ru_stime
            peak = max(peak, used.ru_maxrss * 1024)
            continue
        if time.monotonic() > deadline:
            for left in _descendants(_processes(), os.getpid()):
                os.kill(left, signal.SIGKILL)
        time.sleep(0.05)
