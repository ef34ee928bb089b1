"""The one hardened host: splits run in child processes that may hang, crash or grow, and cost one page when they do.

The pool is at once the parallelism of a machine (work is taken, not dealt) and the sandbox of native parsers. A child
publishes the record it works on in a small shared file and arms a CPU timer (`ITIMER_PROF`) per record: CPU time and
not wall clock, so that a busy machine loses no pages, and the kernel ends the child even inside native code. When a
child dies, its split runs again without the record it died on, and that record becomes a failure.
"""

from __future__ import annotations

import contextlib
import mmap
import multiprocessing
import os
import signal
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from pebble import ProcessExpired, ProcessPool

READING, EXTRACTING, DETECTING = 0, 1, 2
_STATE = struct.Struct("<qqqq")  # phase, offset of the record, pages so far, bytes read so far
MAX_DEATHS = 50  # of one split; beyond it something is wrong that skipping records does not cure

_DEATHS = {
    -int(signal.SIGPROF): ("cpu_limit", "burned its CPU budget"),
    -int(signal.SIGSEGV): ("crash", "crashed a native parser (segmentation fault)"),
    -int(signal.SIGABRT): ("crash", "crashed a native parser (abort)"),
    -int(signal.SIGBUS): ("crash", "crashed a native parser (bus error)"),
    -int(signal.SIGKILL): ("killed", "was killed from outside twice (out of memory?)"),
}


class HostError(RuntimeError):
    """A task that no retry can finish; the message names the split and what to do."""


class Progress:
    """What a child is doing, in a shared file that outlives it."""

    def __init__(self, path: str) -> None:
        self._map = self._open(path)
        self.pages = 0
        self.bytes_read = 0

    @staticmethod
    def _open(path: str) -> mmap.mmap:
        with open(path, "r+b") as handle:
            return mmap.mmap(handle.fileno(), _STATE.size)

    def publish(self, phase: int, offset: int) -> None:
        """Say that `phase` begins on the record at `offset`."""
        _STATE.pack_into(self._map, 0, phase, offset, self.pages, self.bytes_read)

    @staticmethod
    def read(path: str) -> tuple[int, int, int, int]:
        """(phase, offset, pages, bytes read) as last published."""
        with contextlib.suppress(OSError):
            data = Path(path).read_bytes()
            if len(data) == _STATE.size:
                phase, offset, pages, size = _STATE.unpack(data)
                return int(phase), int(offset), int(pages), int(size)
        return READING, -1, 0, 0


def arm_cpu_limit(seconds: float) -> None:
    """End this process when it burns `seconds` more of CPU time; 0 disarms."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


@dataclass(frozen=True, slots=True)
class Lost:
    """A record that killed a child: why, as a failure code and a message."""

    code: str
    message: str


@dataclass(slots=True)
class HostTask:
    """A call in a child: `function(*arguments, lost=…, careful=…, progress=…)` when guarded, else plain."""

    key: Any
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    guarded: bool = False
    name: str = ""
    lost: dict[int, Lost] = field(default_factory=dict)
    careful: bool = False
    deaths: int = 0
    killed_at: set[int] = field(default_factory=set)
    progress_path: str = ""


def _start_child() -> None:
    # The driver answers Ctrl-C; children are stopped by it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    with contextlib.suppress(OSError):  # let the kernel take a child before the driver when memory runs out
        Path("/proc/self/oom_score_adj").write_text("1000")


def _call_guarded(task: HostTask) -> Any:
    progress = Progress(task.progress_path)
    try:
        return task.function(*task.arguments, lost=task.lost, careful=task.careful, progress=progress)
    finally:
        arm_cpu_limit(0)


def _start_fork_server() -> None:
    """Start the server that children are forked from: quiet, and with nothing of the working folder on its path.

    The server is started as `python -c`, which looks for modules in the working folder first, where a user's
    `pipeline.py` would run in the place of ours; PYTHONSAFEPATH ends that. Native parsers write to standard error as
    they die, and children that are stopped complain; what matters is in the failures. HEADWATER_DEBUG=1 shows it.
    """
    before = os.environ.get("PYTHONSAFEPATH")
    if "" not in sys.path and os.getcwd() not in sys.path:  # an interpreter that was itself started so keeps its way
        os.environ["PYTHONSAFEPATH"] = "1"
    sys.stderr.flush()
    kept = os.dup(2)
    target = os.dup(2) if os.environ.get("HEADWATER_DEBUG") else os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(target, 2)
        forkserver.ensure_running()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(target)
        if before is None:
            os.environ.pop("PYTHONSAFEPATH", None)


class Host:
    """A pool of child processes that takes tasks and survives their deaths.

    Children are forked from a server process that has loaded the models and compiled kernels once (`preload`), so
    that replacing a dead child costs milliseconds and memory is shared.
    """

    def __init__(self, workers: int, preload: str = "pipeline.preload") -> None:
        self.workers = max(1, workers)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([preload])
        _start_fork_server()
        self._folder = tempfile.TemporaryDirectory(prefix="headwater-host-")
        self._pool: Any = ProcessPool(max_workers=self.workers, initializer=_start_child, context=context)
        self._tasks: dict[Future[Any], HostTask] = {}
        self._begun: dict[str, Future[Any]] = {}
        self._count = 0
        self.finished: Counter[str] = Counter()  # tasks by name of their function
        self.pages_done = 0
        self.bytes_done = 0

    def start(self) -> None:
        """Start the children now, while the caller prepares their work."""
        for _ in range(self.workers):
            self._pool.schedule(os.getpid)

    def begin(self, tasks: Iterable[HostTask]) -> None:
        """Start tasks before `run` asks for them; it takes a begun task of the same name in the place of a new one."""
        for task in tasks:
            self._begun[task.name] = self._submit(task)

    def run(self, tasks: Iterable[HostTask]) -> Iterator[tuple[Any, Any]]:
        """Results (key, value) in the order in which they are ready.

        Raises:
            HostError: a task died again and again. Whatever the function raises is raised here too.
        """
        running = {self._begun.pop(task.name) if task.name in self._begun else self._submit(task) for task in tasks}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED, timeout=1.0)
            for future in done:
                task = self._tasks.pop(future)
                try:
                    value = future.result()
                except ProcessExpired as death:
                    self._bury(task, death)
                    running.add(self._submit(task))
                    continue
                if task.progress_path:
                    _, _, pages, size = Progress.read(task.progress_path)
                    self.pages_done += pages
                    self.bytes_done += size
                    Path(task.progress_path).unlink(missing_ok=True)
                self.finished[task.function.__name__] += 1
                yield task.key, value

    def working_on(self) -> list[tuple[int, int]]:
        """(pages, bytes read) of the tasks that run now."""
        paths = [task.progress_path for task in list(self._tasks.values()) if task.progress_path]
        return [(pages, size) for _, _, pages, size in map(Progress.read, paths)]

    def close(self, kill: bool = False) -> None:
        """Wait for the children to end, or end them."""
        if kill:
            self._pool.stop()
        else:
            self._pool.close()
        self._pool.join()
        self._folder.cleanup()

    def _submit(self, task: HostTask) -> Future[Any]:
        function: Callable[..., Any] = task.function
        arguments = task.arguments
        if task.guarded:
            self._count += 1
            task.progress_path = os.path.join(self._folder.name, f"{self._count}.progress")
            Path(task.progress_path).write_bytes(_STATE.pack(READING, -1, 0, 0))
            function, arguments = _call_guarded, (task,)
        future: Future[Any] = self._pool.schedule(function, args=arguments)
        self._tasks[future] = task
        return future

    def _bury(self, task: HostTask, death: ProcessExpired) -> None:
        """Learn from a death: which record, why, and how to run the task again."""
        exit_code = int(getattr(death, "exitcode", None) or 0)
        task.deaths += 1
        if task.deaths > MAX_DEATHS:
            raise HostError(f"{task.name}: {task.deaths} child processes died on it (last exit {exit_code})")
        if not task.guarded:
            if task.deaths > 2:
                raise HostError(f"{task.name}: its child process died three times (exit {exit_code}); is memory short?")
            return
        phase, offset, _, _ = Progress.read(task.progress_path)
        code, what = _DEATHS.get(exit_code, ("crash", f"ended its process (exit {exit_code})"))
        if offset < 0 or phase == READING:
            if task.deaths > 3:
                raise HostError(f"{task.name}: reading died {task.deaths} times near offset {offset} ({what})")
        elif phase == DETECTING and not task.careful:
            task.careful = True  # one page a batch, so that the next death names its page
        elif exit_code == -int(signal.SIGKILL) and offset not in task.killed_at:
            task.killed_at.add(offset)  # may have come from outside: give the page a second chance
        else:
            task.lost[offset] = Lost(code, f"the page at offset {offset} {what}")


_shared: Host | None = None


def shared_host(workers: int) -> Host:
    """The host of this process, started at the first call. On a cluster each worker process has its own."""
    global _shared
    if _shared is None:
        _shared = Host(workers)
        _shared.start()
    return _shared


def is_first_run() -> bool:
    """Whether the native code of this installation has yet to be compiled, by Numba's own files beside the sources."""
    folder = Path(__file__).parents[1] / "detectors" / "features"
    is_here = not os.environ.get("NUMBA_CACHE_DIR") and os.access(folder, os.W_OK)
    return is_here and not any(folder.glob("__pycache__/*.nbi"))


def close_shared_host(kill: bool = False) -> None:
    """End the host of this process, if there is one."""
    global _shared
    if _shared is not None:
        host, _shared = _shared, None
        host.close(kill)
