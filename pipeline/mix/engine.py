"""How the pipelines of a mix run: on this machine unless an option names a runner."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.job import LOCAL_RUNNER
from pipeline.packing import spilling


@contextlib.contextmanager
def running(work: Path, beam_options: Sequence[str]) -> Iterator[tuple[beam.Pipeline, bool]]:
    """A pipeline that runs at the end of the block, and whether it spreads over machines.

    On one machine what is shuffled waits in `work`.

    Raises:
        RuntimeError: the runner ended in another state than DONE.
    """
    is_local = not any(option.startswith("--runner") for option in beam_options)
    options = [f"--runner={LOCAL_RUNNER}", *beam_options] if is_local else list(beam_options)
    pipeline = beam.Pipeline(options=PipelineOptions(options, save_main_session=False))
    yield pipeline, not is_local
    with spilling(work / "shuffle") if is_local else contextlib.nullcontext():
        state = pipeline.run().wait_until_finish()
    if str(state) not in ("DONE", "None"):
        raise RuntimeError(f"the Beam runner ended in state {state}; its log says why")
