"""Tiles show the levels of the pyramid and of the label image, and only where there is something."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from lds_path.classes import LabelClass
from lds_path.formats.labels.label_images import Labels, label_blocks, write_labels
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.pyramid_writer import write_pyramid
from lds_path.geometry import Frame, Size
from lds_path.reporting.zoom import tiles
from lds_path.reporting.zoom.layers import draw_confidence, draw_values

GLASS = 243
SIZE = Size(1300, 700)
CLASSES = (LabelClass(1, "Stroma", (86, 180, 233)), LabelClass(7, "Tumor", (213, 94, 0)))


@pytest.fixture
def pyramid(tmp_path):
    """A pyramid whose right part is glass."""
    rgb = np.full((3, SIZE.height, SIZE.width), GLASS, np.uint8)
    columns = np.arange(900)
    rgb[:, :, :900] = np.stack([columns // 8, 200 - columns // 8, 90 + 0 * columns])[:, None]

    def read(left, top, size):
        return np.ascontiguousarray(rgb[:, top : top + size.height, left : left + size.width])

    write_pyramid(tmp_path / "pyramid.ome.zarr", read, SIZE, Frame(0.5, 1.0), background=GLASS)
    return open_pyramid(tmp_path)


def known(level):
    bits = np.unpackbits(np.frombuffer(base64.b64decode(level.tiles), np.uint8))
    grid = Size(level.width, level.height).ceil_div(tiles.TILE)
    return bits[: grid.area].reshape(grid.height, grid.width).astype(bool)


def test_tiles_show_the_levels_of_the_pyramid(pyramid, tmp_path):
    levels = tiles.write_slide_tiles(pyramid, 1, tmp_path / "out", threads=2)
    assert [(level.width, level.height) for level in levels] == [(650, 350), (325, 175)]
    for number in (0, 1):
        with Image.open(tmp_path / "out" / str(number) / "0_0.jpg") as image:
            shown = np.asarray(image).astype(int)
        stored = pyramid.read(number + 1, 0, 0, Size(*shown.shape[1::-1]))
        assert abs(shown - stored).mean() < 3


def test_glass_has_no_tiles_and_the_page_knows_which_there_are(pyramid, tmp_path):
    finest, *_ = tiles.write_slide_tiles(pyramid, 0, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out" / "0").iterdir()}
    assert names == {"0_0.jpg", "1_0.jpg", "0_1.jpg", "1_1.jpg"}
    assert known(finest).tolist() == [[True, True, False], [True, True, False]]


def test_a_slide_with_too_much_tissue_begins_at_a_coarser_level(pyramid, monkeypatch):
    assert tiles.finest_level(pyramid, 0.5) == 0
    assert tiles.finest_level(pyramid, 1.0) == 1
    assert tiles.finest_level(pyramid, 50.0) == 2
    monkeypatch.setattr(tiles, "MAX_PIXELS", 2 * tiles.TILE**2)
    assert tiles.finest_level(pyramid, 0.5) == 1


def test_labels_have_the_colours_of_their_classes_and_0_is_transparent(tmp_path):
    pixels = np.zeros((SIZE.height, SIZE.width), np.uint8)
    pixels[100:300, 50:400], pixels[300:600, 50:400] = 1, 7
    blocks = [pixels[block.slices] for block in label_blocks(SIZE)]
    write_labels(tmp_path / "s.ome.tif", blocks, SIZE, mpp=0.5, classes=CLASSES)
    with Labels(tmp_path / "s.ome.tif") as labels:
        finest, *_ = tiles.write_label_tiles(labels, 0, tmp_path / "out")
    assert known(finest).tolist() == [[True, False, False], [True, False, False]]
    with Image.open(tmp_path / "out" / "0" / "0_0.png") as image:
        shown = np.asarray(image.convert("RGBA"))
    assert shown[200, 100].tolist() == [86, 180, 233, 255]
    assert shown[400, 100].tolist() == [213, 94, 0, 255]
    assert shown[0, 0, 3] == 0


def test_a_map_has_the_colours_of_its_values_and_is_transparent_where_nothing_is_known():
    values = np.array([[0, 1, np.nan]], np.float32)
    shown = np.asarray(Image.open(io.BytesIO(draw_values(values, "viridis"))).convert("RGBA"))
    assert shown[0].tolist() == [[68, 1, 84, 255], [253, 231, 36, 255], [0, 0, 0, 0]]


def test_the_lowest_colour_of_the_confidence_is_a_guess():
    pixels = np.array([[255, 85, 0]], np.uint8)  # sure, a third, not analysed
    shown = np.asarray(Image.open(io.BytesIO(draw_confidence(pixels, 3))).convert("RGBA"))
    assert shown[0, 1].tolist() == [68, 1, 84, 255]
    assert shown[0, 2, 3] == 0
