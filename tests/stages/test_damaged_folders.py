"""A file of an earlier stage with any damage is read as it was, or named with the stage to run again."""

from __future__ import annotations

import random
import shutil

import numpy as np
import pytest
from stage_folders import make_folders

from lds_path.errors import StageInputError
from lds_path.formats.grey_image import open_confidence
from lds_path.formats.labels.label_images import open_labels
from lds_path.formats.mask import read_mask
from lds_path.formats.predictions import Predictions
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.regions import read_regions
from lds_path.formats.results import DetectResults, SegmentResults, StitchResults, TileResults
from lds_path.provenance.stage_folder import open_folder

MUTANTS = 60
SHAPE = (700, 900)


# --- what each kind of file says -------------------------------------------------------------


def pyramid_of(folder):
    pyramid = open_pyramid(folder)
    sizes = [pyramid.level_size(level) for level in range(pyramid.level_count)]
    levels = [pyramid.read(level, 0, 0, size) for level, size in enumerate(sizes)]
    return (pyramid.frame, pyramid.background, *levels)


def labels_of(folder):
    with open_labels(open_folder(folder)) as labels:
        sizes = [labels.level_size(level) for level in range(labels.level_count)]
        levels = [labels.read(level, 0, 0, size) for level, size in enumerate(sizes)]
        return (labels.mpp, labels.classes, *levels)


def predictions_of(folder):
    with Predictions([folder / "predictions.npz"]) as predictions:
        found = [predictions.read(region.index) for region in predictions.regions]
    arrays = [part for one in found for part in (one.probability, one.grid, one.density)]
    return ([one.region for one in found], *arrays)


def confidence_of(folder):
    confidence = open_confidence(open_folder(folder))
    return (confidence.downsample, confidence.pixels)


READERS = {
    "tile/a/pyramid.ome.zarr/zarr.json": pyramid_of,
    "tile/a/pyramid.ome.zarr/0/zarr.json": pyramid_of,
    "tile/a/pyramid.ome.zarr/0/c/0/0/0": pyramid_of,
    "tile/a/pyramid.ome.zarr/1/c/0/0/0": pyramid_of,
    "tile/a/manifest.json": lambda folder: (open_folder(folder).read(TileResults),),
    "detect/a/tissue.png": lambda folder: (read_mask(open_folder(folder)),),
    "detect/a/regions.tsv": lambda folder: (read_regions(open_folder(folder).file("regions.tsv")),),
    "detect/a/manifest.json": lambda folder: (open_folder(folder).read(DetectResults),),
    "segment/a/1-of-2/predictions.npz": predictions_of,
    "segment/a/1-of-2/manifest.json": lambda folder: (open_folder(folder).read(SegmentResults),),
    "stitch/a/a.labels.ome.tif": labels_of,
    "stitch/a/confidence.png": confidence_of,
    "stitch/a/manifest.json": lambda folder: (open_folder(folder).read(StitchResults),),
}
"""File -> what a later stage gets from it."""


# --- damage ----------------------------------------------------------------------------------


def flip(content, place, _):
    content[place] ^= 1 << place % 8


def overwrite(content, place, draw):
    content[place : place + 4] = draw.choice(
        [bytes(4), b"\xff" * 4, draw.randbytes(4), b"\0\0\0\x80"]
    )


def change_digit(content, place, draw):
    digits = [k for k, byte in enumerate(content) if chr(byte).isdigit()]
    content[draw.choice(digits or [place])] = ord(draw.choice("0123456789eE.-"))


def cut_out(content, place, draw):
    del content[place : place + draw.choice([1, 4, 512])]


def cut_off(content, place, _):
    del content[place:]


def repeat(content, place, draw):
    content[place:place] = content[place : place + draw.choice([1, 4, 512])]


def blank(content, place, _):
    content[place : place + 4096] = bytes(len(content[place : place + 4096]))


def exchange(content, place, draw):
    other = draw.randrange(len(content))
    content[place : place + 8], content[other : other + 8] = (
        content[other : other + 8],
        content[place : place + 8],
    )


MUTATORS = (flip, overwrite, change_digit, cut_out, cut_off, repeat, blank, exchange)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    rgb = np.random.default_rng(0).integers(90, 240, (*SHAPE, 3)).astype(np.uint8)
    tissue = np.ones((44, 57), np.bool_)
    labels = np.ones(SHAPE, np.uint8)
    labels[200:500, 300:700] = 2
    make_folders(folder, "a", rgb, tissue, labels)
    return folder


def same(found, expected):
    return len(found) == len(expected) and all(map(np.array_equal, found, expected))


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_as_it_was_or_named(results, tmp_path, name):
    stage = name.split("/")[0]
    depth = 3 if stage == "segment" else 2
    shutil.copytree(results, tmp_path / "results")
    path, read = tmp_path / "results" / name, READERS[name]
    folder = tmp_path.joinpath("results", *name.split("/")[:depth])
    content, expected = path.read_bytes(), read(folder)
    draw = random.Random(name)
    silent = []
    for number in range(MUTANTS):
        mutant = bytearray(content)
        mutate = MUTATORS[number % len(MUTATORS)]
        mutate(mutant, draw.randrange(len(mutant)), draw)
        path.write_bytes(mutant)
        problem, found = "", ()
        try:
            found = read(folder)
        except StageInputError as error:
            problem = str(error)
        if not problem:
            silent += [] if same(found, expected) else [(number, mutate.__name__)]
            continue
        assert str(folder) in problem
        assert len(problem.splitlines()) == 1
        assert f"run {stage} again" in problem or "run its stage again" in problem
    if path.name != "manifest.json":  # only later manifests have its hash
        assert silent == []
