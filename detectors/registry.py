"""The built-in detectors in the order in which they run, and those of other distributions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from detectors.api import Detector

ENTRY_POINT_GROUP = "headwater.detectors"

# name, module, class. Order matters: detectors read what earlier ones published (`signal:language`).
BUILT_IN: tuple[tuple[str, str, str], ...] = (
    ("language", "detectors.language", "Language"),
    ("translation_marks", "detectors.machine_translation.page_marks", "TranslationMarks"),
    ("translation_residue", "detectors.machine_translation.residue", "TranslationResidue"),
    ("literal_translation", "detectors.machine_translation.literal", "LiteralTranslation"),
    ("ai_page_marks", "detectors.ai_text.page_marks", "AiPageMarks"),
    ("ai_artefacts", "detectors.ai_text.artefacts", "Artefacts"),
    ("evasion", "detectors.ai_text.evasion", "Evasion"),
    ("ai_text", "detectors.ai_text.text", "AiText"),
    ("translated_text", "detectors.machine_translation.text", "TranslatedText"),
    ("rights", "detectors.rights", "Rights"),
    ("personal_data", "detectors.personal_data", "PersonalData"),
    ("quality", "detectors.quality.detector", "Quality"),
    ("duplicates", "detectors.duplicates", "Duplicates"),
    ("parallelism", "detectors.machine_translation.parallelism", "Parallelism"),
)


class RegistryError(ValueError):
    """A set of detectors that cannot be built; the message says which and what to do."""


def built_in_names() -> list[str]:
    """Names of the built-in detectors, in order."""
    return [name for name, _, _ in BUILT_IN]


def build_detectors(options: Mapping[str, Mapping[str, Any] | None] | None = None) -> list[Detector]:
    """Configured detectors in running order: built-in ones, then third parties by name.

    `options` maps a detector's name to its keyword arguments; None in the place of a mapping leaves the detector out.

    Raises:
        RegistryError: unknown name or option, two detectors under one name, or a detector that cannot be imported.
    """
    options = dict(options or {})
    found: list[tuple[str, str, Callable[..., Any]]] = []
    for name, module, class_name in BUILT_IN:
        origin = f"{module}.{class_name}"
        found.append((name, origin, _lazily(module, class_name)))
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda p: (p.name, p.value)):
        found.append((point.name, f"{point.value} ({_distribution(point)})", _loaded(point)))
    _refuse_duplicates([(name, origin) for name, origin, _ in found])
    if unknown := sorted(set(options) - {name for name, _, _ in found}):
        known = ", ".join(name for name, _, _ in found)
        raise RegistryError(f"no detector is called {', '.join(unknown)}; there are {known}")
    detectors: list[Detector] = []
    for name, origin, build in found:
        chosen = options.get(name, {})
        if chosen is None:
            continue
        try:
            detector: Detector = build(**chosen)
        except TypeError as error:
            raise RegistryError(f"{origin} refuses its options {sorted(chosen)}: {error}") from None
        detectors.append(detector)
    _refuse_duplicates([(d.name, f"{type(d).__module__}.{type(d).__qualname__}") for d in detectors])
    return detectors


def _refuse_duplicates(named: list[tuple[str, str]]) -> None:
    seen: dict[str, str] = {}
    for name, origin in named:
        if name in seen:
            raise RegistryError(f"two detectors are called {name}: {seen[name]} and {origin}; rename one of them")
        seen[name] = origin


def _lazily(module: str, class_name: str) -> Callable[..., Any]:
    def build(**options: Any) -> Any:
        return getattr(import_module(module), class_name)(**options)

    return build


def _loaded(point: EntryPoint) -> Callable[..., Any]:
    def build(**options: Any) -> Any:
        try:
            factory = point.load()
        except (ImportError, AttributeError) as error:
            raise RegistryError(f"detector {point.name}: {point.value} cannot be loaded ({error})") from None
        return factory(**options)

    return build


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "unknown distribution"
