"""The slide that a pyramid was made from, where it is now, and whether it is still the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lds_path.errors import StageInputError
from lds_path.formats.results import TileResults
from lds_path.provenance.fingerprint import describe_input, find_copy, is_store, note_input
from lds_path.provenance.lineage import find_root, locate
from lds_path.provenance.stage_folder import open_folder
from lds_path.remote.address import is_address, parse_address

if TYPE_CHECKING:
    from pathlib import Path

    from lds_path.provenance.fingerprint import InputFiles
    from lds_path.provenance.stage_folder import StageFolder
    from lds_path.remote.address import SlidePath


def slide_input(tile: Path) -> dict[str, InputFiles]:
    """Return the slide as an input of a stage that reads the pyramid.

    Empty where every level is stored, and where the slide is gone, which is an error only once
    a level that is not stored is read.

    Parameters
    ----------
    tile
        Folder of the tile stage.

    Raises
    ------
    StageInputError
        If the slide has changed since, or no stage finished in the folder.
    """
    folder = open_folder(tile)
    if not folder.manifest.results.get("finest_level"):
        return {}
    place = _find_place(folder)
    noted = None if place is None else _note(folder, place)
    return {} if noted is None or not noted.exists else {"slide": noted}


def note_slide(tile: Path) -> InputFiles:
    """Return the slide that the pyramid in the folder of the tile stage was made from.

    Raises
    ------
    StageInputError
        If it is gone or has changed since.
    """
    folder = open_folder(tile)
    place = _find_place(folder)
    noted = None if place is None else _note(folder, place)
    if noted is None or not noted.exists:
        raise StageInputError(
            f"{_recorded_path(folder)} is not there any more, and its pyramid {tile} holds only"
            f" levels from {folder.read(TileResults).finest_level} on; put the slide back, or run"
            " tile again with --levels all where it is"
        )
    return noted


def _note(folder: StageFolder, place: SlidePath) -> InputFiles:
    """Return a slide with its hash; its bytes are read only if size, times or inode changed."""
    from lds_path.slides.companions import find_slide_files  # only where a slide is read

    recorded = folder.manifest.inputs["slide"]
    noted = note_input(place, find_slide_files(place))
    known = [list(item) for item in folder.read(TileResults).identities]
    if not noted.exists:  # which is an error only once a level that is not stored is read
        return noted
    if list(noted.identities) != known and describe_input(noted)["sha256"] != recorded["sha256"]:
        raise StageInputError(
            f"{place} has changed since {folder.path} was made from it; run tile again for this"
            " slide, or put the slide back"
        )
    return replace(noted, known=recorded)


def _find_place(folder: StageFolder) -> SlidePath | None:
    path = _recorded_path(folder)
    if is_address(path):
        return parse_address(path)
    copy = find_copy(path)
    if copy is not None:
        return copy
    root = find_root(folder.path, "tile", default=folder.path.absolute().parent)
    place = locate(path, folder.path, root) if path else None
    return place if place is not None and (place.is_file() or is_store(place)) else None


def _recorded_path(folder: StageFolder) -> str:
    return str(folder.manifest.inputs.get("slide", {}).get("path", ""))
