"""Checks that results are still what their stages wrote, from the same inputs and versions."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from lds_path.errors import LdsPathError, StageInputError
from lds_path.provenance.cohort import STAGES
from lds_path.provenance.fingerprint import (
    describe_outputs,
    describe_remote,
    folder_of,
    is_store,
    name_content,
    sha256,
)
from lds_path.provenance.lineage import find_depth, find_folders, find_root, inputs_of, locate
from lds_path.provenance.manifest import FILE_NAME, Manifest, read_manifest
from lds_path.provenance.stage_run import installed_versions
from lds_path.remote.address import is_address, parse_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SHORT = 12
"""Digits of a hash that a message shows."""
OUTSIDE = ("slide", "model", "sheet", "labels", "roi", "tissue", "encoder", "start")
"""Inputs that do not come from a stage; the others do."""
BEFORE_REPORT = {"export", "assess"}
"""Stages after which a run writes its report."""
SHARD_DEPTH = 2


@dataclass(frozen=True)
class Finding:
    """One thing that does not match."""

    path: Path | str
    """File, folder or address."""
    found: str
    expected: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path} {self.found}; expected {self.expected}; {self.remedy}"


@dataclass(frozen=True)
class Verification:
    """What was checked and what does not match."""

    folders: int
    files: int
    """Outputs; a Zarr store counts as one."""
    size_bytes: int
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        size = f"{self.size_bytes / 2**30:.1f} GiB"
        checked = f"{self.folders} folders with {self.files} outputs, {size}"
        ending = f"{len(self.findings)} do not match" if self.findings else "all match"
        return f"{checked}: {ending}"


def verify(
    results: Path, *, slides: bool = True, versions: bool = True, threads: int = 1
) -> Verification:
    """Check every manifest below a results folder against the files that it lists.

    Parameters
    ----------
    results
        Folder with the folders of stages, at any depth.
    slides
        Also read inputs from outside again: slides, reference labels, sheets, models.
    versions
        Compare the versions that made the results with the installed ones.
    threads
        Folders to check at a time.

    Raises
    ------
    UsageError
        If no stage wrote into the folder.
    """
    folders = find_folders(results)
    hashes = Hashes()
    check = partial(_check_folder, results=results, hashes=hashes, slides=slides)
    with ThreadPoolExecutor(threads) as pool:
        checked = list(
            tqdm(
                pool.map(check, folders),
                total=len(folders),
                unit="folder",
                desc="verify",
                disable=None,
            )
        )
    findings = [finding for item in checked for finding in item.findings]
    made = {item.folder: item.manifest for item in checked if item.manifest is not None}
    findings += _check_reports(made)
    if versions:
        findings += _check_versions(results, made)
    outputs = [output for item in checked for output in item.outputs.values()]
    size = sum(output["bytes"] for output in outputs)
    return Verification(len(folders), len(outputs), size, tuple(findings))


class Hashes:
    """Hashes of files that several manifests list, such as a model's; each file is read once."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}
        self._locks: defaultdict[Path, Lock] = defaultdict(Lock)

    def of(self, path: Path) -> str:
        """Return the hash of a file."""
        with self._locks[path]:
            if path not in self._known:
                self._known[path] = sha256(path)
            return self._known[path]


@dataclass(frozen=True)
class _Checked:
    folder: Path
    manifest: Manifest | None
    outputs: Mapping[str, Mapping[str, Any]]
    findings: list[Finding]


def _check_folder(folder: Path, *, results: Path, hashes: Hashes, slides: bool) -> _Checked:
    again = f"remove {folder} and run the workflow again"
    try:
        manifest = read_manifest(folder)
    except StageInputError:
        what = "cannot be read" if (folder / FILE_NAME).exists() else "is missing"
        expected = "what a stage writes when it is done"
        finding = Finding(folder / FILE_NAME, what, expected, again)
        return _Checked(folder, None, {}, [finding])
    outputs = describe_outputs(folder)
    findings = list(_check_outputs(folder, manifest, outputs, again))
    findings += _check_place(folder, manifest, again)
    root = find_root(folder, manifest.stage, default=results.absolute())
    findings += _check_inputs(folder, manifest, hashes, root=root, slides=slides)
    return _Checked(folder, manifest, outputs, findings)


def _check_outputs(
    folder: Path, manifest: Manifest, outputs: Mapping[str, Mapping[str, Any]], again: str
) -> Iterator[Finding]:
    for name in sorted(manifest.outputs.keys() | outputs.keys()):
        recorded, current = manifest.outputs.get(name), outputs.get(name)
        if recorded == current:
            continue
        if recorded is None:
            what = f"is not from {manifest.stage}"
            yield Finding(folder / name, what, "only what the manifest lists", "move it elsewhere")
        elif current is None:
            yield Finding(folder / name, "is missing", _short(recorded), again)
        else:
            yield Finding(
                folder / name, f"has changed to {_short(current)}", _short(recorded), again
            )


def _check_place(folder: Path, manifest: Manifest, again: str) -> Iterator[Finding]:
    """Yield a finding if a folder has the name of another slide, shard or stage."""
    depth, names = find_depth(folder, manifest.stage), folder.absolute().parts
    path = folder / FILE_NAME
    if depth is None:
        if names[-2] in STAGES:
            yield Finding(path, f"is of the stage {manifest.stage}", f"one of {names[-2]}", again)
        return
    if depth and names[-depth] != manifest.slide:
        yield Finding(path, f"is of the slide '{manifest.slide}'", f"'{names[-depth]}'", again)
    shard = manifest.parameters.get("shard", names[-1])
    if depth == SHARD_DEPTH and shard != names[-1]:
        yield Finding(path, f"is of the shard {shard}", names[-1], again)


def _check_inputs(
    folder: Path, manifest: Manifest, hashes: Hashes, *, root: Path, slides: bool
) -> Iterator[Finding]:
    for name, recorded in inputs_of(manifest).items():
        if is_address(str(recorded.get("path"))):
            found = _check_remote(str(recorded["path"]), recorded, folder) if slides else None
            yield from () if found is None else (found,)
            continue
        shown = Path(str(recorded.get("path", name)))
        path = locate(str(shown), folder, root)
        if path is None:
            if slides or _is_of_run(name, shown, root):
                yield _missing_input(shown, folder, manifest.stage, recorded)
            continue
        listed = _listed_files(path, recorded)
        is_folder = path.is_dir() and not is_store(path)
        of_stage = (is_folder and len(listed) == 1) or (folder_of(path) / FILE_NAME).is_file()
        if not (slides or of_stage):
            continue
        for file, expected in listed.items():
            current = hashes.of(file) if file.is_file() or is_store(file) else "nothing"
            if current != expected:
                yield _changed_input(file, current, expected, folder, of_stage=of_stage)


def _check_remote(address: str, recorded: Mapping[str, Any], folder: Path) -> Finding | None:
    """Return a finding if a server says something else of a slide than when it was read."""
    remedy = f"put the slide back, or remove {folder} and run the workflow again"
    expected = f"{name_content(recorded)}, by {folder / FILE_NAME}"
    try:
        current = describe_remote(parse_address(address))
    except LdsPathError as error:
        return Finding(address, f"cannot be checked ({error})", expected, "check with --no-slides")
    if current == recorded:
        return None
    found = f"is {name_content(current)}" if current["sha256"] else "is missing"
    return Finding(address, found, expected, remedy)


def _listed_files(path: Path, recorded: Mapping[str, Any]) -> dict[Path, object]:
    """Return file -> hash of an input: of each file of a slide or model, a store or a manifest."""
    files = recorded.get("files")
    if isinstance(files, dict):
        return {folder_of(path) / name: digest for name, digest in files.items()}
    is_folder = path.is_dir() and not is_store(path)
    return {path / FILE_NAME if is_folder else path: recorded["sha256"]}


def _is_of_run(name: str, path: Path, root: Path) -> bool:
    """Return whether a missing input was written by a stage of the run."""
    outside = name.partition("/")[0] in OUTSIDE
    return not outside or (not path.is_absolute() and path.parts[:1] == (root.name,))


def _changed_input(
    file: Path, current: str, expected: object, folder: Path, *, of_stage: bool
) -> Finding:
    remedy = (
        f"remove {folder}, which was made from an earlier one, and run the workflow again"
        if of_stage
        else f"put the file back, or remove {folder} and run the workflow again"
    )
    what = f"is sha256 {current[:SHORT]}" if current != "nothing" else "is missing"
    return Finding(file, what, f"sha256 {str(expected)[:SHORT]} by {folder / FILE_NAME}", remedy)


def _missing_input(path: Path, folder: Path, stage: str, recorded: Mapping[str, Any]) -> Finding:
    expected = f"{_short(recorded)}, which {stage} read for {folder}"
    return Finding(path, "is missing", expected, "put the file back, or check with --no-slides")


def _check_reports(made: Mapping[Path, Manifest]) -> Iterator[Finding]:
    """Yield a finding for each results folder whose slides are done but have no report."""
    done = defaultdict(set)
    for folder, manifest in made.items():
        if find_depth(folder, manifest.stage) is not None:
            done[find_root(folder, manifest.stage, default=folder)].add(manifest.stage)
    for root, stages in sorted(done.items()):
        if stages >= BEFORE_REPORT and not (root / "report" / FILE_NAME).is_file():
            remedy = "run the workflow again"
            yield Finding(root / "report", "is missing", "the report on these slides", remedy)


def _check_versions(results: Path, made: Mapping[Path, Manifest]) -> Iterable[Finding]:
    """Return a finding for each version of a package that differs from the installed one."""
    installed = installed_versions()
    other: defaultdict[tuple[str, str], list[Path]] = defaultdict(list)
    for folder, manifest in made.items():
        for package, version in manifest.versions.items():
            if package in installed and str(version) != installed[package]:
                other[package, str(version)].append(folder)
    for (package, version), folders in sorted(other.items()):
        what = (
            f"has {len(folders)} of {len(made)} folders made with {package} {version}, such as"
            f" {folders[0]}"
        )
        remedy = "install that version, or remove these folders and run the workflow again"
        yield Finding(results, what, f"{package} {installed[package]} as installed", remedy)


def _short(described: Mapping[str, Any]) -> str:
    size = f" ({described['bytes']} bytes)" if "bytes" in described else ""
    return f"sha256 {str(described['sha256'])[:SHORT]}{size}"
