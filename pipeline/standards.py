"""What the scores of a run are compared with: a calibration, and controls of human text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from detectors.calibration import Calibrator, load_calibration
from detectors.controls import DEFAULT_BEFORE, ControlsError, ControlSet
from detectors.features.url_key import host_of
from detectors.hosts import Offsets, control_hosts, estimate_offsets
from detectors.soft_evidence import strata_of
from detectors.strata import SCORE_COLUMNS
from pipeline.arrow_lists import combined
from schemas.config import CurateConfig

MODELS_KEY = b"headwater.text_models"  # metadata of a scored Parquet file: fingerprints of the text models, JSON


@dataclass(frozen=True, slots=True)
class Standards:
    """`controls` is the JSON of a ControlSet, or empty; `calibration` a file, or None for the one that ships."""

    controls: str = ""
    calibration: str | None = None

    @property
    def calibrator(self) -> Calibrator:
        """The calibration with the controls, read once in a process."""
        return _calibrator(self)

    def offsets(self, head: str, language: str) -> Offsets | None:
        """How the human hosts of a language differ, by the controls; None where too few hosts tell."""
        return _offsets(self, head, language)


@lru_cache(maxsize=2)
def _calibrator(standards: Standards) -> Calibrator:
    path = Path(standards.calibration) if standards.calibration else None
    controls = ControlSet.from_json(standards.controls) if standards.controls else None
    return Calibrator(load_calibration(path), controls)


@lru_cache(maxsize=64)
def _offsets(standards: Standards, head: str, language: str) -> Offsets | None:
    calibrator = standards.calibrator
    if calibrator.controls is None:
        return None
    return estimate_offsets(control_hosts(calibrator.controls.hosts, calibrator, head, language))


def read_standards(config: CurateConfig, models: Mapping[str, str]) -> Standards:
    """The standards that a configuration names. `models` are the fingerprints of the text models by detector.

    Raises:
        ControlsError: no such file, no controls, or controls of other text models.
        CalibrationError: the same of the calibration.
    """
    provenance = config.provenance
    path = Path(provenance.calibration) if provenance.calibration else None
    load_calibration(path).require(models)
    return Standards(_read_controls(provenance.controls, models), provenance.calibration)


def _read_controls(path: str | None, models: Mapping[str, str]) -> str:
    if path is None:
        return ""
    try:
        controls = ControlSet.from_json(Path(path).read_text(encoding="utf-8"))
        controls.require(models)
    except (OSError, UnicodeDecodeError) as error:
        raise ControlsError(
            f"{path}: cannot be read ({error}); `headwater controls build` writes such a file"
        ) from None
    except ControlsError as error:
        raise ControlsError(f"{path}: {error}") from None
    return controls.to_json()


def fingerprints(standards: Standards) -> dict[str, str]:
    """Digests of the calibration and of the controls, by name."""
    calibrator = standards.calibrator
    found = {"calibration": calibrator.calibration.digest()}
    if calibrator.controls is not None:
        found["controls"] = calibrator.controls.digest()
    return found


def controls_of(table: pa.Table, models: Mapping[str, str], before: datetime = DEFAULT_BEFORE) -> ControlSet:
    """Controls among scored documents: those that are human by their date. `models` are fingerprints by detector."""
    scores = {head: combined(table.column(column)) for head, column in SCORE_COLUMNS.items()}
    hosts = [host_of(url) for url in table.column("url").to_pylist()]
    return ControlSet.collect(scores, strata_of(table), combined(table.column("fetched_at")), hosts, models, before)
