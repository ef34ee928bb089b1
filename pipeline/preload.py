"""Imported once by the server that children are forked from: libraries loaded, kernels compiled."""

import gc
import importlib
import os

from pipeline.host import is_first_run


def compile_beside() -> int | None:
    """On the first run of an installation, a child that compiles extraction while the rest is compiled here."""
    child = os.fork() if is_first_run() else None
    if child == 0:
        try:
            from pipeline.extract.blocks import extractor

            extractor.warm()
        finally:  # a failure shows again, and is told, when this process loads what the child should have left
            os._exit(0)
    return child


compiling = compile_beside()

import pyarrow  # noqa: E402

from detectors.quality.detector import warm  # noqa: E402
from pipeline.extract.blocks import extractor  # noqa: E402

pyarrow.set_cpu_count(1)  # one core a child; threads would also count against the CPU budget of a page
pyarrow.set_io_thread_count(1)
for name in ("stage", "judge", "write", "tabulate"):
    importlib.import_module(f"pipeline.{name}")
warm()
if compiling is not None:
    os.waitpid(compiling, 0)
extractor.warm()
gc.collect()
gc.freeze()  # what is loaded stays: children neither look through it for garbage nor copy its memory by doing so
