"""How a file was made: by which commands, from which slide and model, by which versions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lds_path.errors import LdsPathError
from lds_path.provenance.fingerprint import describe_outputs
from lds_path.provenance.lineage import find_folder_of, locate
from lds_path.provenance.manifest import FILE_NAME, read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from lds_path.provenance.manifest import Manifest

WIDTH = 12
"""Of the column of names."""


def explain(path: Path) -> str:
    """Return the story of a file below a results folder: its state, slide, model and stages.

    The stages of its own slide are told in the order in which they ran; what came from elsewhere,
    such as a model trained on other slides, is named with its hash.

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
    for number, (place, made) in enumerate(stages.items(), start=1):
        lines += ["", *_tell(number, place, made)]
    return "\n".join(lines) + "\n"


def _upstream(folder: Path, manifest: Manifest) -> Iterator[tuple[Path, Manifest]]:
    """Return the stages that led to a folder, of its own slide, the first first, and itself."""
    for described in manifest.inputs.values():
        place = locate(str(described.get("path", "")), folder)
        if place is not None and not place.is_dir():
            place = place.parent
        if place is None or not (place / FILE_NAME).is_file():
            continue
        try:
            before = read_manifest(place)
        except LdsPathError:
            continue  # told as an input; `verify` names it
        if before.slide == manifest.slide:
            yield from _upstream(place, before)
    yield folder, manifest


def _state(path: Path, folder: Path, manifest: Manifest) -> str:
    if manifest.quarantined:
        return f"belongs to a slide in quarantine: {manifest.reason}"
    parts = path.absolute().relative_to(folder.absolute()).parts
    if not parts or parts[0] == FILE_NAME:
        return f"was written by {manifest.stage}"
    noted = manifest.outputs.get(parts[0])
    if noted is None:
        return f"lies beside the outputs of {manifest.stage}, which did not write it"
    if describe_outputs(folder).get(parts[0]) != noted:
        return f"was written by {manifest.stage} and has changed since"
    return f"is as {manifest.stage} wrote it, sha256 {noted['sha256']}"


def _name_slide(manifest: Manifest, stages: Mapping[Path, Manifest]) -> str:
    files = (made.inputs["slide"] for made in stages.values() if "slide" in made.inputs)
    file = next((f", {_input(described)}" for described in files), "")
    return f"{manifest.slide}{file}"


def _name_model(stages: Mapping[Path, Manifest]) -> str:
    for made in stages.values():
        if "model" in made.inputs:
            return f"{made.parameters.get('model', '')}, {_input(made.inputs['model'])}"
    return ""


def _tell(number: int, folder: Path, made: Manifest) -> list[str]:
    cost = f"{made.seconds:.1f} s, {made.peak_memory_mib:.0f} MiB, {made.device}"
    lines = [f"{number}. {made.stage}: {made.created}, {cost}"]
    lines += _line("folder", str(folder))
    lines += _line("command", made.command or "none: called by another program")
    lines += _lines("inputs", {name: _input(each) for name, each in made.inputs.items()}, ": ")
    parameters = {name: json.dumps(value) for name, value in made.parameters.items()}
    lines += _lines("parameters", parameters, " = ")
    lines += _line("versions", ", ".join(f"{name} {one}" for name, one in made.versions.items()))
    return lines


def _input(described: Mapping[str, Any]) -> str:
    return f"{described.get('path', '')} (sha256 {described['sha256']})"


def _line(name: str, text: str) -> list[str]:
    return [f"   {name:{WIDTH}}{text}"] if text else []


def _lines(name: str, pairs: Mapping[str, str], between: str) -> list[str]:
    texts = [f"{key}{between}{text}" for key, text in pairs.items()]
    return [f"   {name if number == 0 else '':{WIDTH}}{text}" for number, text in enumerate(texts)]
