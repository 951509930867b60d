"""The frame of every stage: an empty folder, its work, the manifest last, or quarantine."""

from __future__ import annotations

import errno
import logging
import os
import platform
import resource
import shlex
import shutil
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lds_path import __version__
from lds_path.errors import SlideProblem, UsageError
from lds_path.provenance.fingerprint import describe_input, describe_outputs
from lds_path.provenance.manifest import FILE_NAME, MARKER, Manifest, read_manifest, write_json
from lds_path.provenance.stage_folder import StageInputs, StageResults, open_folder
from lds_path.provenance.typed_json import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Work = Callable[[Path, StageInputs], StageResults | Mapping[str, Any]]

log = logging.getLogger(__name__)

NO_FOLDER = (errno.ENOTDIR, errno.ENAMETOOLONG, errno.ENOENT, errno.ELOOP, errno.EEXIST)
HASHING_THREADS = 2
PACKAGES = ("numpy", "openslide-python", "tifffile", "zarr", "numba", "torch", "monai")


def run_stage(
    stage: str,
    output: Path,
    work: Work,
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
        Folder to write; what an earlier attempt left there is removed first.
    work
        Called with the folder and the inputs, whose manifests have been read; writes the data and
        returns the results for the manifest.
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
    stage_inputs = _read_inputs(inputs, slide, output)
    _empty(output)
    status = _attempt(stage, output, work, stage_inputs, strict=strict)
    manifest = Manifest(
        stage=stage,
        slide=stage_inputs.slide,
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

    For stages that would otherwise load a network for nothing.
    """
    return any(read_manifest(folder).quarantined for folder in folders)


def installed_versions() -> dict[str, str]:
    """Return the versions of what shapes a result: this package, Python and libraries."""
    versions = {"lds-path": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _read_inputs(inputs: Mapping[str, Path], slide: str, output: Path) -> StageInputs:
    """Return the inputs with the manifests of those that are folders."""
    folders = {name: open_folder(path) for name, path in inputs.items() if path.is_dir()}
    slide = slide or next((folder.slide for folder in folders.values()), output.name)
    return StageInputs(slide, inputs, folders)


def _attempt(
    stage: str, output: Path, work: Work, inputs: StageInputs, *, strict: bool
) -> dict[str, Any]:
    """Return the status, with the results or the reason why there are none."""
    earlier = (folder.manifest for folder in inputs.folders.values())
    quarantined = next((manifest for manifest in earlier if manifest.quarantined), None)
    if quarantined is not None:
        return _quarantine(quarantined.reason, quarantined.quarantined_by)
    try:
        return {"status": "done", "results": to_json(work(output, inputs))}
    except SlideProblem as problem:
        _empty(output)
        if strict:
            raise
        log.warning("%s is quarantined: %s", inputs.slide, problem)
        return _quarantine(str(problem), stage)


def _check_apart(output: Path, inputs: Mapping[str, Path]) -> None:
    """Refuse to empty and write a folder that holds or is an input."""
    target = os.path.realpath(output)  # Path.resolve fails on a cycle of links
    for path in inputs.values():
        if os.path.commonpath([target, os.path.realpath(path)]) == target:
            raise UsageError(f"{output} holds the input {path}; name another folder to write")


def _empty(folder: Path) -> None:
    """Make the folder, without what an earlier attempt left in it."""
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
        is_own = (folder / FILE_NAME).exists() or (folder / MARKER).exists()
        foreign = [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")]
        if foreign and not is_own:
            raise UsageError(
                f"{folder} already holds {foreign[0]} and was not written by lds-path;"
                " name a folder that is new or empty"
            )
        shutil.rmtree(folder)


def _quarantine(reason: str, stage: str) -> dict[str, Any]:
    return {"status": "quarantined", "reason": " ".join(reason.split()), "quarantined_by": stage}


def _command() -> str:
    """Return the command line of this process if it is lds-path."""
    program = Path(sys.argv[0])
    is_own = program.name == "lds-path" or program.parts[-2:] == ("lds_path", "cli.py")
    return shlex.join(["lds-path", *sys.argv[1:]]) if is_own else ""


def _peak_memory_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
