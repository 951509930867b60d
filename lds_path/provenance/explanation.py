"""How a file was made: by which commands, from which slide and model, with which versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lds_path.errors import LdsPathError
from lds_path.provenance.fingerprint import describe_outputs, name_content
from lds_path.provenance.lineage import find_folder_of, find_root, locate
from lds_path.provenance.manifest import FILE_NAME, read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lds_path.provenance.manifest import Manifest

WIDTH = 12
"""Of the column of names."""


def explain(path: Path) -> str:
    """Return how a file below a results folder was made: its state, slide, model and stages.

    The stages of its slide are listed in the order in which they ran; other inputs, such as a model
    trained on other slides, are listed with their hashes.

    Raises
    ------
    UsageError
        If no stage wrote the file.
    StageInputError
        If the manifest beside it cannot be read.
    """
    folder = find_folder_of(path)
    manifest = read_manifest(folder)
    stages = dict(_upstream(folder, manifest))
    lines = [f"{path} {_state(path, folder, manifest)}", ""]
    lines += _line("slide", _name_slide(manifest, stages))
    lines += _line("model", _name_model(stages))
    for number, (stage_folder, made) in enumerate(stages.items(), start=1):
        lines += ["", *_describe_stage(number, stage_folder, made)]
    return "\n".join(lines) + "\n"


def _upstream(folder: Path, manifest: Manifest) -> Iterator[tuple[Path, Manifest]]:
    """Yield the stages of its slide that led to a folder, in their order, and the folder itself."""
    root = find_root(folder, manifest.stage, default=Path(folder.absolute().anchor))
    for described in manifest.inputs.values():
        source = locate(str(described.get("path", "")), folder, root)
        if source is not None and not source.is_dir():
            source = source.parent
        if source is None or not (source / FILE_NAME).is_file():
            continue
        try:
            upstream = read_manifest(source)
        except LdsPathError:
            continue  # listed as an input; `verify` reports it
        if upstream.slide == manifest.slide:
            yield from _upstream(source, upstream)
    yield folder, manifest


def _state(path: Path, folder: Path, manifest: Manifest) -> str:
    if manifest.quarantined:
        return f"belongs to a slide in quarantine: {manifest.reason}"
    parts = path.absolute().relative_to(folder.absolute()).parts
    if not parts or parts[0] == FILE_NAME:
        return f"was written by {manifest.stage}"
    recorded = manifest.outputs.get(parts[0])
    if recorded is None:
        return f"lies beside the outputs of {manifest.stage}, which did not write it"
    if describe_outputs(folder).get(parts[0]) != recorded:
        return f"was written by {manifest.stage} and has changed since"
    return f"is as {manifest.stage} wrote it, sha256 {recorded['sha256']}"


def _name_slide(manifest: Manifest, stages: Mapping[Path, Manifest]) -> str:
    files = (made.inputs["slide"] for made in stages.values() if "slide" in made.inputs)
    file = next((f", {_input(described)}" for described in files), "")
    return f"{manifest.slide}{file}"


def _name_model(stages: Mapping[Path, Manifest]) -> str:
    for made in stages.values():
        if "model" in made.inputs:
            return f"{made.parameters.get('model', '')}, {_input(made.inputs['model'])}"
    return ""


def _describe_stage(number: int, folder: Path, made: Manifest) -> list[str]:
    cost = f"{made.seconds:.1f} s, {made.peak_memory_mib:.0f} MiB, {made.device}"
    lines = [f"{number}. {made.stage}: {made.created}, {cost}"]
    lines += _line("folder", str(folder))
    lines += _line("command", made.command or "none: called by another program")
    lines += _lines(
        "inputs", {name: _input(described) for name, described in made.inputs.items()}, ": "
    )
    parameters = {name: json.dumps(value) for name, value in made.parameters.items()}
    lines += _lines("parameters", parameters, " = ")
    lines += _line(
        "versions", ", ".join(f"{name} {version}" for name, version in made.versions.items())
    )
    return lines


def _input(described: Mapping[str, Any]) -> str:
    return f"{described.get('path', '')} ({name_content(described)})"


def _line(name: str, text: str) -> list[str]:
    return [f"   {name:{WIDTH}}{text}"] if text else []


def _lines(name: str, pairs: Mapping[str, str], between: str) -> list[str]:
    texts = [f"{key}{between}{text}" for key, text in pairs.items()]
    return [f"   {name if number == 0 else '':{WIDTH}}{text}" for number, text in enumerate(texts)]
