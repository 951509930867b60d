"""The frame of every stage: a private folder, its work, the manifest, the final name; or quarantine.

The inputs are noted before the work and compared after it, so that the hashes in the manifest are
those of the bytes that the stage read.
"""

from __future__ import annotations

import logging
import os
import platform
import shlex
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lds_path import __version__
from lds_path.errors import ChangedInputError, SlideProblem, UsageError
from lds_path.provenance.complete_file import MARKER, complete_folder, empty_folder
from lds_path.provenance.fingerprint import (
    InputFiles,
    describe_input,
    describe_outputs,
    note_input,
)
from lds_path.provenance.manifest import FILE_NAME, Manifest, read_manifest, write_json
from lds_path.provenance.resumption import active_resumption
from lds_path.provenance.stage_folder import StageInputs, StageResults, open_folder
from lds_path.provenance.typed_json import to_json
from lds_path.system.memory import peak_memory_mib

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Work = Callable[[Path, StageInputs], StageResults | Mapping[str, Any]]

log = logging.getLogger(__name__)

HASHING_THREADS = 2
PACKAGES = ("numpy", "openslide-python", "tifffile", "zarr", "numba", "torch", "monai")


def run_stage(
    stage: str,
    output: Path,
    work: Work,
    *,
    inputs: Mapping[str, Path | InputFiles],
    parameters: Mapping[str, Any],
    slide: str = "",
    strict: bool = False,
    device: str = "cpu",
) -> Manifest:
    """Run the work of a stage in a private folder, which gets its name when it is complete.

    While `resuming` is active, a folder that holds the result already is left as it is.

    Parameters
    ----------
    stage
        Name of the stage.
    output
        Folder to write; what an earlier attempt left there is removed first. If several processes
        write it at the same time, the one that ends first wins.
    work
        Called with the folder and the inputs, whose manifests have been read; writes the data and
        returns the results for the manifest.
    inputs
        Files, and folders of earlier stages, by name. What consists of several files, or is read
        before this call, is noted by `note_input`.
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
    ChangedInputError
        If an input changed while it was read.
    SlideProblem
        If the slide cannot be analysed and `strict` is set.
    StageInputError
        If an input folder was not finished.
    UsageError
        If the folder cannot be made, is not one of a stage, holds an input, or was written by
        another process in the meantime.
    """
    started = time.monotonic()
    noted = {
        name: item if isinstance(item, InputFiles) else note_input(item)
        for name, item in inputs.items()
    }
    _check_apart(output, noted.values())
    resumption = active_resumption()
    finished = resumption.find(stage, output, noted, parameters) if resumption else None
    if finished is not None and not (strict and finished.quarantined):
        return finished
    _check_replaceable(output)
    stage_inputs = _read_inputs(noted, slide, output)
    with complete_folder(output) as folder:
        with _unchanged(stage, noted.values()):
            status = _attempt(stage, folder, work, stage_inputs, strict=strict)
            hashed = {name: describe_input(item) for name, item in noted.items() if item.exists}
        manifest = Manifest(
            stage=stage,
            slide=stage_inputs.slide,
            inputs=hashed,
            outputs=describe_outputs(folder, threads=HASHING_THREADS),
            command=_command(),
            parameters=dict(parameters),
            versions=installed_versions(),
            device=device,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - started, 3),
            peak_memory_mib=round(peak_memory_mib(), 1),
            **status,
        )
        write_json(folder / FILE_NAME, asdict(manifest))
    if resumption:
        resumption.remember(noted, hashed)
    return manifest


def is_quarantined(*folders: Path) -> bool:
    """Return whether an earlier stage put the slide of these folders in quarantine.

    For stages that would otherwise load a network for nothing.
    """
    return any(read_manifest(folder).quarantined for folder in folders)


def installed_versions() -> dict[str, str]:
    """Return the versions of what shapes a result: this package, Python and libraries."""
    own = {"lds-path": __version__, "python": platform.python_version()}
    return own | _package_versions()


@cache
def _package_versions() -> dict[str, str]:
    """Return the versions of libraries: those at the first question, when this process imported them."""
    versions = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions


def _read_inputs(noted: Mapping[str, InputFiles], slide: str, output: Path) -> StageInputs:
    """Return the inputs with the manifests of those that are folders of stages."""
    paths = {name: item.path for name, item in noted.items() if isinstance(item.path, Path)}
    folders = {name: open_folder(path) for name, path in paths.items() if noted[name].is_stage}
    slide = slide or next((folder.slide for folder in folders.values()), output.name)
    return StageInputs(slide, paths, folders)


def _attempt(
    stage: str, folder: Path, work: Work, inputs: StageInputs, *, strict: bool
) -> dict[str, Any]:
    """Return the status, with the results or the reason why there are none."""
    earlier = (folder.manifest for folder in inputs.folders.values())
    quarantined = next((manifest for manifest in earlier if manifest.quarantined), None)
    if quarantined is not None:
        return _quarantine(quarantined.reason, quarantined.quarantined_by)
    try:
        return {"status": "done", "results": to_json(work(folder, inputs))}
    except SlideProblem as problem:
        empty_folder(folder)
        if strict:
            raise
        log.warning("%s is quarantined: %s", inputs.slide, problem)
        return _quarantine(str(problem), stage)


@contextmanager
def _unchanged(stage: str, inputs: Iterable[InputFiles]) -> Iterator[None]:
    """Fail if an input changed in the meantime, whatever came of reading it."""
    try:
        yield
    finally:
        for item in inputs:
            for file in item.changed():
                raise ChangedInputError(
                    f"{file} changed while it was read by {stage}; run it again when nothing writes"
                    " the file any more"
                )


def _check_apart(output: Path, inputs: Iterable[InputFiles]) -> None:
    """Refuse to replace a folder that holds or is an input."""
    target = os.path.realpath(output)  # Path.resolve fails on a cycle of links
    for item in inputs:
        if not isinstance(item.path, Path):
            continue  # on a server
        if os.path.commonpath([target, os.path.realpath(item.path)]) == target:
            raise UsageError(f"{output} holds the input {item.path}; name another folder to write")


def _check_replaceable(output: Path) -> None:
    """Refuse to replace a folder that holds what no stage wrote."""
    try:
        names = [entry.name for entry in output.iterdir()]
    except OSError:  # not there, or no folder, which is found when it is made
        return
    foreign = [name for name in names if not name.startswith(".")]
    if foreign and FILE_NAME not in names and MARKER not in names:
        raise UsageError(
            f"{output} already holds {foreign[0]} and was not written by lds-path;"
            " name a folder that is new or empty"
        )


def _quarantine(reason: str, stage: str) -> dict[str, Any]:
    return {"status": "quarantined", "reason": " ".join(reason.split()), "quarantined_by": stage}


def _command() -> str:
    """Return the command line of this process if it is lds-path."""
    program = Path(sys.argv[0])
    is_own = program.name == "lds-path" or program.parts[-2:] == ("lds_path", "cli.py")
    return shlex.join(["lds-path", *sys.argv[1:]]) if is_own else ""
