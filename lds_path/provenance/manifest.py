"""The manifest that every stage writes last: what was made, from what, how, and with what end.

A folder without a manifest is not finished. A quarantined slide has a manifest and nothing else,
and every later stage passes its reason on.
"""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import platform
import resource
import shlex
import shutil
import sys
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lds_path import __version__
from lds_path.errors import SlideProblem, StageInputError, UsageError
from lds_path.provenance.fingerprint import MANIFEST_NAME, describe_input, describe_outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

FILE_NAME = MANIFEST_NAME
MARKER = ".lds-path"
NO_FOLDER = (errno.ENOTDIR, errno.ENAMETOOLONG, errno.ENOENT, errno.ELOOP, errno.EEXIST)
STATUSES = ("done", "quarantined")
TEXTS = ("stage", "slide", "reason", "quarantined_by", "command", "device", "created")
HASHING_THREADS = 2
PACKAGES = ("numpy", "openslide-python", "tifffile", "zarr", "numba", "torch", "monai")


@dataclass(frozen=True)
class Manifest:
    """What a stage says about the folder it wrote."""

    stage: str
    slide: str
    status: Literal["done", "quarantined"]
    reason: str = ""
    """Why the slide is quarantined, in one line; empty when it is done."""
    quarantined_by: str = ""
    """The stage that found the problem."""
    inputs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Name -> path and sha256 of a file, or of the manifest of a folder."""
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Name in the folder -> bytes and sha256 of what the stage wrote."""
    command: str = ""
    """The command line; empty where another program called the stage."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    results: Mapping[str, Any] = field(default_factory=dict)
    """What the stage found out, for later stages and the report."""
    versions: Mapping[str, str] = field(default_factory=dict)
    device: str = "cpu"
    created: str = ""
    seconds: float = 0.0
    peak_memory_mib: float = 0.0

    @property
    def quarantined(self) -> bool:
        """Whether the slide was put aside."""
        return self.status == "quarantined"


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a stage's folder.

    Raises
    ------
    StageInputError
        If the folder has no readable manifest: the stage did not finish there.
    """
    path = folder / FILE_NAME
    try:
        manifest = Manifest(**json.loads(path.read_text(encoding="utf-8")))
        _check(manifest)
    except (FileNotFoundError, NotADirectoryError):
        raise StageInputError(
            f"{folder} has no {FILE_NAME}: the stage that writes it did not finish; run it again"
        ) from None
    except (ValueError, TypeError, RecursionError, IsADirectoryError) as error:
        raise StageInputError(
            f"{path} is not a manifest ({error}); remove {folder} and run its stage again"
        ) from None
    return manifest


def run_stage(
    stage: str,
    output: Path,
    work: Callable[[Path], Mapping[str, Any]],
    *,
    inputs: Mapping[str, Path],
    parameters: Mapping[str, Any],
    slide: str = "",
    strict: bool = False,
    device: str = "cpu",
) -> Manifest:
    """Run the work of a stage in its folder and write the manifest last.

    Parameters
    ----------
    stage
        Name of the stage.
    output
        Folder to write; what an unfinished earlier try left there is removed first.
    work
        Called with the folder; writes the data and returns the results for the manifest.
    inputs
        Files, and folders of earlier stages, by name.
    parameters
        The keyword arguments that shaped the result.
    slide
        Id of the slide; read from the first input folder when empty.
    strict
        Raise a `SlideProblem` instead of putting the slide in quarantine.
    device
        Where the network ran.

    Raises
    ------
    SlideProblem
        If the slide cannot be analysed and `strict` is set.
    StageInputError
        If an input folder was not finished.
    UsageError
        If the folder cannot be made, is not one of a stage, or holds an input.
    """
    started = time.monotonic()
    _check_apart(output, inputs)
    folders = [read_manifest(path) for path in inputs.values() if path.is_dir()]
    slide = slide or next((manifest.slide for manifest in folders), output.name)
    _empty(output)
    status: dict[str, Any] = {"status": "done"}
    ill = next((manifest for manifest in folders if manifest.quarantined), None)
    if ill is not None:
        status = _quarantine(ill.reason, ill.quarantined_by)
    else:
        try:
            status["results"] = dict(work(output))
        except SlideProblem as problem:
            _empty(output)
            if strict:
                raise
            log.warning("%s is quarantined: %s", slide, problem)
            status = _quarantine(str(problem), stage)
    manifest = Manifest(
        stage=stage,
        slide=slide,
        inputs={name: describe_input(path) for name, path in inputs.items() if path.exists()},
        outputs=describe_outputs(output, threads=HASHING_THREADS),
        command=_command(),
        parameters=dict(parameters),
        versions=installed_versions(),
        device=device,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - started, 3),
        peak_memory_mib=round(_peak_memory_mib(), 1),
        **status,
    )
    write_json(output / FILE_NAME, asdict(manifest))
    return manifest


def is_quarantined(*folders: Path) -> bool:
    """Return whether an earlier stage put the slide of these folders in quarantine.

    For stages that would otherwise load a network before they learn it.
    """
    return any(read_manifest(folder).quarantined for folder in folders)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON so that the file is either complete or absent."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=1, allow_nan=False)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)


def installed_versions() -> dict[str, str]:
    """Return the versions of what shapes a result: this package, Python, and its libraries."""
    found = {"lds-path": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _check(manifest: Manifest) -> None:
    """Raise ValueError or TypeError unless the fields are what a stage writes."""
    if manifest.status not in STATUSES:
        raise ValueError(f"its status is {str(manifest.status)[:20]!r}")
    _check_plain(manifest)
    for name in ("inputs", "outputs", "parameters", "results", "versions"):
        content = getattr(manifest, name)
        if not isinstance(content, dict):
            raise TypeError(f"its {name} are {str(content)[:20]!r}")
        hashed = content.values() if name in ("inputs", "outputs") else ()
        if not all(isinstance(each, dict) and "sha256" in each for each in hashed):
            raise ValueError(f"its {name} have no sha256")


def _check_plain(manifest: Manifest) -> None:
    for name in TEXTS:
        if not isinstance(getattr(manifest, name), str):
            raise TypeError(f"its {name} is {str(getattr(manifest, name))[:20]!r}")
    for name in ("seconds", "peak_memory_mib"):
        number = getattr(manifest, name)
        if not isinstance(number, int | float) or not 0 <= number < math.inf:
            raise TypeError(f"its {name} is {str(number)[:20]!r}")


def _check_apart(output: Path, inputs: Mapping[str, Path]) -> None:
    """Refuse to write, and first to empty, a folder that holds or is an input."""
    target = os.path.realpath(output)  # Path.resolve fails where links form a circle
    for path in inputs.values():
        if os.path.commonpath([target, os.path.realpath(path)]) == target:
            raise UsageError(f"{output} holds the input {path}; name another folder to write")


def _empty(folder: Path) -> None:
    """Make the folder, without what an earlier try left in it."""
    try:
        _remove(folder)
        folder.mkdir(parents=True)
        (folder / MARKER).touch()
    except OSError as error:
        if error.errno not in NO_FOLDER:
            raise
        raise UsageError(
            f"{folder} cannot be made ({error.strerror}); name a folder that is new or empty"
        ) from None


def _remove(folder: Path) -> None:
    """Remove a folder that a stage wrote, if it is there."""
    if folder.exists():
        ours = (folder / FILE_NAME).exists() or (folder / MARKER).exists()
        foreign = [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")]
        if foreign and not ours:
            raise UsageError(
                f"{folder} already holds {foreign[0]} and was not written by lds-path;"
                " name a folder that is new or empty"
            )
        shutil.rmtree(folder)


def _quarantine(reason: str, stage: str) -> dict[str, Any]:
    return {"status": "quarantined", "reason": " ".join(reason.split()), "quarantined_by": stage}


def _command() -> str:
    """Return the command line of this process if it is ours."""
    program = Path(sys.argv[0])
    ours = program.name == "lds-path" or program.parts[-2:] == ("lds_path", "cli.py")
    return shlex.join(["lds-path", *sys.argv[1:]]) if ours else ""


def _peak_memory_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
