"""EVIDENCE: one struct per finding of a detector, and the provenance scores that are fused from them."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

LABELS = ("human", "machine_translated", "ai_generated", "unknown")

EVIDENCE_STRUCT = pa.struct(
    [
        pa.field("detector", pa.string(), nullable=False),
        pa.field("signal", pa.string(), nullable=False),
        pa.field("value", pa.float32()),
        # Nats of log-odds that the finding adds to its class; null where it is a note and not fused.
        pa.field("weight", pa.float32()),
        # Characters of `text`, half-open; null where the finding is not in the text.
        pa.field("start", pa.int32()),
        pa.field("end", pa.int32()),
    ]
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A finding in one row of a batch.

    `row` counts within the batch; `start` and `end` are character offsets into `text`; `weight` is in nats.
    """

    row: int
    detector: str
    signal: str
    value: float | None = None
    weight: float | None = None
    start: int | None = None
    end: int | None = None

    def as_struct(self) -> dict[str, object]:
        """The finding as a value of `EVIDENCE_STRUCT`."""
        return {
            "detector": self.detector,
            "signal": self.signal,
            "value": self.value,
            "weight": self.weight,
            "start": self.start,
            "end": self.end,
        }
