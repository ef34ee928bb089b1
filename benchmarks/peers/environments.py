"""Virtual environments of the arms, made with pip where they are missing. Standard library only."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
DATATROVE_REQUIREMENTS = HERE / "datatrove-requirements.txt"
TEXTDEDUP_REQUIREMENTS = HERE / "textdedup-requirements.txt"

# One core for one worker: libraries must not start threads of their own. The same for every arm.
SINGLE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "ARROW_NUM_THREADS"), "1"
)


def datatrove_environment(folder: Path) -> Path:
    """Python of datatrove's environment, with the URL lists unpacked."""
    stamp = hashlib.sha256(DATATROVE_REQUIREMENTS.read_bytes()).hexdigest()[:12]
    python = _create(folder / "datatrove", stamp, ["--no-deps", "-r", str(DATATROVE_REQUIREMENTS)])
    subprocess.run(
        [python, HERE / "datatrove_arm.py", "--prepare"],
        env={**os.environ, **datatrove_variables(folder)},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return python


def textdedup_environment(folder: Path) -> Path:
    """Python of text-dedup's environment."""
    stamp = hashlib.sha256(TEXTDEDUP_REQUIREMENTS.read_bytes()).hexdigest()[:12]
    return _create(folder / "textdedup", stamp, ["--no-deps", "-r", str(TEXTDEDUP_REQUIREMENTS)])


def datatrove_variables(folder: Path) -> dict[str, str]:
    """Environment variables of the datatrove arms: caches in the environment, no network, no colours in logs."""
    return {
        **SINGLE_THREAD,
        "HF_HOME": str(folder / "datatrove" / "cache"),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONUNBUFFERED": "1",
    }


def headwater_command(folder: Path) -> Path:
    """The `headwater` to measure: $HEADWATER, the one on PATH, or this checkout installed in an environment."""
    named = os.environ.get("HEADWATER") or shutil.which("headwater")
    if named:
        found = shutil.which(named)
        if not found:
            raise SystemExit(f"HEADWATER={named} is not a command; name the `headwater` to measure")
        return Path(found).absolute()
    stamp = hashlib.sha256((REPOSITORY / "pyproject.toml").read_bytes()).hexdigest()[:12]
    return _create(folder / "headwater", stamp, ["-e", str(REPOSITORY)]).with_name("headwater")


def headwater_python(command: Path) -> Path:
    """Python of the environment that `headwater` is installed in: its sibling, or the one that its script names."""
    sibling = command.with_name("python")
    if sibling.exists():
        return sibling
    line = command.read_text(errors="replace").splitlines()[0]
    named = Path(line.removeprefix("#!").strip())
    if line.startswith("#!") and named.exists():
        return named
    raise SystemExit(f"no Python beside {command}; set HEADWATER to the `headwater` of a virtual environment")


def package_versions(python: Path, names: tuple[str, ...]) -> dict[str, str]:
    """Installed versions of the named distributions, for the record."""
    code = (
        "import sys, json\nfrom importlib.metadata import version, PackageNotFoundError\nfound = {}\n"
        "for name in sys.argv[1:]:\n    try: found[name] = version(name)\n    except PackageNotFoundError: pass\n"
        "print(json.dumps({'python': sys.version.split()[0], **found}))"
    )
    done = subprocess.run([python, "-c", code, *names], check=True, capture_output=True, text=True)
    versions: dict[str, str] = json.loads(done.stdout)
    return versions


def _create(folder: Path, stamp: str, packages: list[str]) -> Path:
    """Python of the environment in `folder`, made anew unless `stamp` says that it is as asked."""
    python = folder / "bin" / "python"
    mark = folder / "stamp"
    if mark.exists() and mark.read_text() == stamp:
        return python
    print(f"creating {folder}", file=sys.stderr)
    folder.parent.mkdir(parents=True, exist_ok=True)
    (folder.parent / ".gitignore").write_text("*\n")
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    mark.write_text(stamp)
    return python
