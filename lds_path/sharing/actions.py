"""The stages of a run as actions of an RO-Crate, with what they read and wrote."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from lds_path.errors import LdsPathError
from lds_path.models.card import find_model, read_card
from lds_path.provenance.fingerprint import STATEMENT, name_content
from lds_path.provenance.lineage import locate
from lds_path.provenance.manifest import FILE_NAME
from lds_path.sharing.entities import RUN_FILES, file_entity, property_entity, refer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lds_path.provenance.manifest import Manifest
    from lds_path.sharing.entities import Entities, Entity

_FINISHED, _FAILED = "CompletedActionStatus", "FailedActionStatus"
_LONG = 1000
"""Characters of a parameter; the ids of thousands of slides are in the manifest."""


class Actions:
    """Adds the entities of one stage after the other.

    Parameters
    ----------
    results
        The results folder.
    entities
        What they are added to.
    """

    def __init__(self, results: Path, entities: Entities) -> None:
        self.ids: list[str] = []
        """Of the actions."""
        self.folders: list[str] = []
        """Of the folders of the stages."""
        self._results, self._entities = results.absolute(), entities

    def add(self, folder: Path, manifest: Manifest) -> None:
        """Add a stage, its folder, its inputs, its parameters and its software."""
        place = folder.absolute().relative_to(self._results).as_posix()
        inputs = [
            self._add_input(name, described, folder, manifest)
            for name, described in manifest.inputs.items()
        ]
        outputs = [
            self._entities.add(file_entity(f"{place}/{name}", recorded=recorded))
            for name, recorded in manifest.outputs.items()
        ]
        own = self._entities.add(
            file_entity(f"{place}/{FILE_NAME}", description=f"How {manifest.stage} ran")
        )
        described = {
            "@id": f"{quote(place)}/",
            "@type": "Dataset",
            "name": place,
            "description": f"What {manifest.stage} made for {manifest.slide}",
            "hasPart": [refer(own), *map(refer, outputs)],
        }
        self.folders.append(self._entities.add(described))
        parameters = [
            self._entities.add(property_entity(manifest.stage, name, value))
            for name, value in self._without_paths(manifest.parameters)
        ]
        action = _describe_action(place, manifest) | {
            "instrument": refer(self._add_software(manifest)),
            "object": [*map(refer, inputs), *map(refer, parameters)],
            "result": [refer(own), *map(refer, outputs)],
        }
        self.ids.append(self._entities.add(action))

    def _add_input(
        self, name: str, described: Mapping[str, Any], folder: Path, manifest: Manifest
    ) -> str:
        """Add what a stage read; what another stage wrote is there: its folder, or one of its files."""
        place = locate(str(described.get("path", "")), folder, self._results)
        inside = self._inside(place)
        if inside is not None and (self._results / inside / FILE_NAME).is_file():
            return f"{quote(inside)}/"
        if inside is not None and (inside in RUN_FILES or quote(inside) in self._entities):
            return quote(inside)
        entity = _describe_source(name, described, manifest)
        if name == "model":
            entity |= self._describe_model(place, str(manifest.parameters.get("model", "")))
        return self._entities.add(entity)

    def _describe_model(self, place: Path | None, asked: str) -> Entity:
        """Return what the card of a model says, if the model is still there."""
        try:
            card = read_card(find_model(str(place or asked)))
        except LdsPathError:
            return {}
        found: Entity = {"description": card.description}
        if card.authors:
            authors = _describe_named("Organization", ", ".join(card.authors))
            found["author"] = refer(self._entities.add(authors))
        if card.licence:
            found["license"] = refer(
                self._entities.add(_describe_named("CreativeWork", card.licence))
            )
        return {key: value for key, value in found.items() if value}

    def _add_software(self, manifest: Manifest) -> str:
        """Add the package, with its versions of others; a run may have several."""
        needed = [
            self._entities.add(_describe_software(name, version))
            for name, version in manifest.versions.items()
            if name != "lds-path"
        ]
        software = _describe_software("lds-path", manifest.versions.get("lds-path", "unknown"))
        software |= {
            "description": "Whole-slide segmentation with a learned downsampler",
            "license": refer(self._entities.add(_apache())),
            "softwareRequirements": list(map(refer, needed)),
        }
        own = uuid5(NAMESPACE_URL, json.dumps(dict(manifest.versions)))
        return self._entities.add(software | {"@id": own.urn})

    def _without_paths(self, parameters: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Yield parameters that are set, short, and name no place outside of the folder."""
        for name, value in parameters.items():
            shown = self._shorten(value)
            if shown not in (None, "", [], {}) and len(str(shown)) <= _LONG:
                yield name, shown

    def _shorten(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, list):
            return [self._shorten(item) for item in value]
        if isinstance(value, dict):
            return {key: self._shorten(item) for key, item in value.items()}
        if not isinstance(value, str) or not PurePath(value).is_absolute():
            return value
        inside = self._inside(Path(value))
        return PurePath(value).name if inside is None else inside

    def _inside(self, place: Path | None) -> str | None:
        """Return a path in the folder, None if it lies outside."""
        if place is None or not place.is_relative_to(self._results):
            return None
        return place.relative_to(self._results).as_posix()


def _describe_action(place: str, manifest: Manifest) -> Entity:
    """Return when a stage ran, on what and how it ended; its manifest is written at its end."""
    action = {
        "@id": f"#action-{quote(place)}",
        "@type": "CreateAction",
        "name": f"{manifest.stage} of {manifest.slide}",
        "description": f"{manifest.seconds:.1f} s, {manifest.peak_memory_mib:.0f} MiB,"
        f" {manifest.device}",
        **_describe_times(manifest),
        "actionStatus": f"http://schema.org/{_FAILED if manifest.quarantined else _FINISHED}",
    }
    return action | ({"error": manifest.reason} if manifest.quarantined else {})


def _describe_times(manifest: Manifest) -> Entity:
    try:
        ended = datetime.fromisoformat(manifest.created)
    except ValueError:  # of a folder that no stage wrote
        return {}
    started = ended - timedelta(seconds=round(manifest.seconds))
    return {"startTime": started.isoformat(), "endTime": ended.isoformat()}


def _describe_source(name: str, described: Mapping[str, Any], manifest: Manifest) -> Entity:
    """Return a slide, labels or a sheet, by name and hash."""
    digest = str(described["sha256"])
    file = PurePath(str(described.get("path", name))).name
    entity = {
        "@id": f"#{name}-{digest[:16]}",
        "@type": "CreativeWork",
        "name": file,
        "description": f"{name} that {manifest.stage} read; not in this folder",
        "sha256": digest,
    }
    if STATEMENT in described:  # it is not the hash of the slide's bytes
        del entity["sha256"]
        entity["abstract"] = f"known by {name_content(described)}"
    files = described.get("files", {})
    listed = ", ".join(f"{part} (sha256 {value})" for part, value in files.items())
    return entity | ({"abstract": f"its files are {listed}"} if listed else {})


def _describe_software(name: str, version: str) -> Entity:
    """Return a package, identified by its package URL."""
    kind = "generic" if name in ("lds-path", "python") else "pypi"
    return {
        "@id": f"pkg:{kind}/{name}@{quote(version, safe='')}",
        "@type": "SoftwareApplication",
        "name": name,
        "softwareVersion": version,
    }


def _describe_named(kind: str, name: str) -> Entity:
    return {"@id": f"#{quote(name, safe='')}", "@type": kind, "name": name}


def _apache() -> Entity:
    return {
        "@id": "https://www.apache.org/licenses/LICENSE-2.0",
        "@type": "CreativeWork",
        "name": "Apache License 2.0",
    }
