"""Built-in and foreign detectors, and what is refused."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any, ClassVar

import pytest

from detectors import registry
from detectors.api import Detector
from detectors.personal_data import PersonalData
from detectors.registry import RegistryError, build_detectors, built_in_names


class Foreign(PersonalData):
    """A detector of another distribution."""

    name = "foreign"
    outputs: ClassVar[Any] = {}


def install(monkeypatch: pytest.MonkeyPatch, *points: tuple[str, str]) -> None:
    made = [EntryPoint(name, value, registry.ENTRY_POINT_GROUP) for name, value in points]
    monkeypatch.setattr(registry, "entry_points", lambda group: made)


def test_built_in_detectors_in_order() -> None:
    detectors = build_detectors()
    assert [d.name for d in detectors] == built_in_names()
    assert all(isinstance(d, Detector) for d in detectors)


def test_options_reach_the_detector_and_none_leaves_it_out() -> None:
    (language,) = build_detectors({"language": {"model": "lid176"}} | dict.fromkeys(built_in_names()[1:]))
    assert language.name == "language"


@pytest.mark.parametrize(
    ("options", "message"),
    [({"langauge": {}}, "no detector is called langauge"), ({"rights": {"x": 1}}, "refuses its options")],
)
def test_what_is_unknown_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        build_detectors(options)


def test_entry_points_come_last(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ("foreign", f"{__name__}:Foreign"))
    assert build_detectors()[-1].name == "foreign"


def test_one_name_for_two_is_refused_with_both(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ("rights", "other.package:Rights"))
    with pytest.raises(RegistryError, match=r"detectors\.rights\.Rights and other\.package:Rights"):
        build_detectors()
    install(monkeypatch, ("another", "detectors.rights:Rights"))
    with pytest.raises(RegistryError, match="two detectors are called rights"):
        build_detectors()


def test_a_broken_entry_point_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ("broken", "no_such_module_here:X"))
    with pytest.raises(RegistryError, match="detector broken"):
        build_detectors()
