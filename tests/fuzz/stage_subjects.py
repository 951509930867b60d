"""Mutants of what one stage leaves for the next: nothing but the original may be accepted."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from image_subjects import SIZE, labels, picture
from mutant_outcome import RIGHT, UNKNOWN, WRONG
from spoil import spoil_bytes, spoil_json
from stage_folders import Folders, make_folders

from lds_path.formats.labels.label_images import name_labels, open_labels
from lds_path.formats.predictions import ARRAYS, PREDICTIONS_NAME, Predictions
from lds_path.formats.pyramid import PYRAMID_NAME, open_pyramid
from lds_path.provenance.stage_folder import open_folder

if TYPE_CHECKING:
    from random import Random

    from image_subjects import Verdict
    from numpy.typing import NDArray

Arrays = dict[str, "NDArray[Any]"]


@cache
def finished() -> Folders:
    """Folders of stages that finished; not to be changed."""
    tissue = np.ones((-(-SIZE.height // 16), -(-SIZE.width // 16)), np.bool_)
    drawn = labels().clip(1, 2)
    return make_folders(Path(tempfile.mkdtemp()), "one", picture(), tissue, drawn)


def pyramid(folder: Path, random: Random) -> Verdict:
    """Damage a shard or the metadata of a pyramid, or remove a file."""
    copy = folder / "one"
    shutil.copytree(finished().tile, copy)
    files = sorted(path for path in (copy / PYRAMID_NAME).rglob("*") if path.is_file())
    path = random.choice(files)
    if random.random() < 0.15:
        path.unlink()
    elif path.name == "zarr.json" and random.random() < 0.7:
        path.write_text(json.dumps(spoil_json(json.loads(path.read_text()), random)))
    else:
        content = path.read_bytes()
        start = random.choice((0, len(content) - 260)) if path.name != "zarr.json" else 0
        path.write_bytes(spoil_bytes(content, random, start))
    return _compare(_read_pyramid(copy), _read_pyramid(finished().tile))


def _read_pyramid(folder: Path) -> Arrays:
    opened = open_pyramid(folder)
    frame = np.array([opened.frame.mpp, opened.frame.downsample, opened.background])
    return {"frame": frame} | {
        str(level): opened.read(level, 0, 0, opened.level_size(level))
        for level in range(opened.level_count)
    }


def predictions(folder: Path, random: Random) -> Verdict:
    """Damage a file of predictions, or pack it anew with an array that is spoilt."""
    whole = finished().segment[0] / PREDICTIONS_NAME
    path, content = folder / PREDICTIONS_NAME, whole.read_bytes()
    if repacked := random.random() < 0.4:
        path.write_bytes(_repack(content, random))
    else:
        start = random.choice((0, content.rindex(b"PK\x05\x06"), content.index(b"PK\x01\x02")))
        path.write_bytes(spoil_bytes(content, random, start))
    found, expected = _read_predictions(path), _read_predictions(whole)
    return (UNKNOWN, "") if repacked else _compare(found, expected)


def _repack(content: bytes, random: Random) -> bytes:
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(stream, "w", random.choice((0, 8, 12))) as new,
    ):
        names = old.namelist()
        spoilt = random.choice(names)
        for name in names:
            part = old.read(name)
            if name == spoilt:
                part = spoil_bytes(part, random, 0, random.choice((len(part), 128)))
            if name != spoilt or random.random() < 0.8:
                new.writestr(name, part)
    return stream.getvalue()


def _read_predictions(path: Path) -> Arrays:
    with Predictions([path]) as opened:
        read = {region.index: opened.read(region.index) for region in opened.regions}
        table = np.array([str(region) for region in opened.regions])
    return {"regions": table} | {
        f"{index} {name}": getattr(item, name) for index, item in read.items() for name in ARRAYS
    }


def stitched_labels(folder: Path, random: Random) -> Verdict:
    """Damage the label image that stitch wrote."""
    copy = folder / "one"
    shutil.copytree(finished().stitch, copy)
    path = copy / name_labels("one")
    path.write_bytes(spoil_bytes(path.read_bytes(), random, random.choice((0, 0, 1000))))
    return _compare(_read_labels(copy), _read_labels(finished().stitch))


def _read_labels(folder: Path) -> Arrays:
    with open_labels(open_folder(folder)) as opened:
        return {
            str(level): opened.read(level, 0, 0, opened.level_size(level))
            for level in range(opened.level_count)
        }


def _compare(found: Arrays, expected: Arrays) -> Verdict:
    if found.keys() != expected.keys():
        return WRONG, f"{sorted(found)} instead of {sorted(expected)}"
    other = [name for name in found if not np.array_equal(found[name], expected[name])]
    return (WRONG, f"other values in {other}") if other else (RIGHT, "")
