"""Imported once by the server that children are forked from: libraries loaded, kernels compiled."""

import gc
import importlib

import pyarrow

from detectors.quality.detector import warm

pyarrow.set_cpu_count(1)  # one core a child; threads would also count against the CPU budget of a page
pyarrow.set_io_thread_count(1)
for name in ("annotate", "decide", "write", "tabulate"):
    importlib.import_module(f"pipeline.{name}")
warm()
gc.collect()
gc.freeze()  # what is loaded stays: children neither look through it for garbage nor copy its memory by doing so
