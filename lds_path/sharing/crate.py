"""A results folder as an RO-Crate 1.1, by the profile Process Run Crate 0.5.

Each stage that ran on a slide is an action, its folder a dataset with its outputs. Everything comes
from the manifests, so that nothing is read or hashed again. What lies outside of the folder is named
by file name and hash, never by its path.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lds_path.errors import StageInputError, UsageError
from lds_path.provenance.lineage import find_folders
from lds_path.provenance.manifest import read_manifest, write_json
from lds_path.sharing.actions import Actions
from lds_path.sharing.entities import RUN_FILES, Entities, file_entity, refer

if TYPE_CHECKING:
    from pathlib import Path

    from lds_path.provenance.manifest import Manifest

CRATE_NAME = "ro-crate-metadata.json"
CONTEXT = (
    "https://w3id.org/ro/crate/1.1/context",
    "https://w3id.org/ro/terms/workflow-run/context",
)
CRATE, PROFILE = "https://w3id.org/ro/crate/1.1", "https://w3id.org/ro/wfrun/process/0.5"
_ADDRESS = re.compile(r"https?://\S+")


def write_crate(results: Path, *, licence: str = "", replace: bool = False) -> Path:
    """Write `ro-crate-metadata.json` into a results folder and return its path.

    Parameters
    ----------
    results
        Folder with the results of a run.
    licence
        Address of the licence of the results; when empty, the file says that none is stated.
    replace
        Whether the file of an earlier call is replaced.

    Raises
    ------
    UsageError
        If no stage finished in the folder, the file exists, or the licence is no address.
    """
    path = results / CRATE_NAME
    if licence and not _ADDRESS.fullmatch(licence):
        raise UsageError(
            f"--licence is {licence[:100]!r}; give an address, such as"
            " https://creativecommons.org/licenses/by/4.0/"
        )
    if path.exists() and not replace:
        raise UsageError(f"{path} exists already; add --replace to write it anew")
    write_json(path, describe_crate(results, licence=licence))
    return path


def describe_crate(results: Path, *, licence: str = "") -> dict[str, Any]:
    """Return the metadata of a results folder as JSON-LD; stages that did not finish are left out.

    Raises
    ------
    UsageError
        If no stage finished in it.
    """
    made = sorted(_read_manifests(results), key=lambda item: (item[1].created, str(item[0])))
    if not made:
        raise UsageError(f"no stage finished in {results}; wait for the run, or run it again")
    entities = Entities()
    actions = Actions(results, entities)
    for folder, manifest in made:
        actions.add(folder, manifest)
    files = [
        entities.add(file_entity(name, kind=kind, description=what, path=results / name))
        for name, (kind, what) in RUN_FILES.items()
        if (results / name).is_file()
    ]
    slides = sorted({manifest.slide for _, manifest in made if manifest.stage == "tile"})
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Segmentation of {len(slides)} slide{'s' * (len(slides) != 1)} by lds-path",
        "description": f"Results of lds-path for {', '.join(slides) or 'no slide'}",
        "datePublished": datetime.now(UTC).date().isoformat(),
        "conformsTo": refer(entities.add(_profile())),
        "license": refer(entities.add(_licence(licence))),
        "hasPart": [*map(refer, actions.folders), *map(refer, files)],
        "mentions": list(map(refer, actions.ids)),
    }
    return {"@context": list(CONTEXT), "@graph": [_descriptor(), root, *entities]}


def _read_manifests(results: Path) -> list[tuple[Path, Manifest]]:
    found = []
    for folder in find_folders(results):
        try:
            found.append((folder, read_manifest(folder)))
        except StageInputError:
            continue
    return found


def _descriptor() -> dict[str, Any]:
    return {
        "@id": CRATE_NAME,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": CRATE},
    }


def _profile() -> dict[str, Any]:
    return {
        "@id": PROFILE,
        "@type": "CreativeWork",
        "name": "Process Run Crate",
        "version": "0.5",
    }


def _licence(address: str) -> dict[str, Any]:
    if address:
        return {"@id": address, "@type": "CreativeWork", "name": address}
    return {
        "@id": "#no-licence",
        "@type": "CreativeWork",
        "name": "No licence is stated",
        "description": "Ask whom you have the results from; those of the slides and models hold, too.",
    }
