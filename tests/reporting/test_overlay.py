"""Pictures show what they say: colours, places, lengths."""

import numpy as np
import pytest
from PIL import Image

from lds_path.classes import LabelClass
from lds_path.reporting import overlay, picture_footer

CLASSES = (LabelClass(1, "Stroma", (0, 0, 255)), LabelClass(3, "Tumor", (255, 0, 0)))


def plain(width=60, height=40, grey=200):
    return np.full((height, width, 3), grey, np.uint8)


@pytest.mark.parametrize("mpp", [0.25, 0.5, 0.927, 7.9, 40.0])
@pytest.mark.parametrize("width", [40, 333, 1600])
def test_the_scale_bar_is_round_and_as_long_as_it_says(mpp, width):
    bar = picture_footer.scale_bar(mpp, width)
    assert bar.pixels * mpp / 1000 == pytest.approx(bar.length_mm, abs=0.5 * mpp / 1000)
    assert bar.pixels <= width / 4 + 0.5
    assert bar.pixels > width / 4 / 2.5 - 1
    assert f"{bar.length_mm:e}"[0] in "125"
    assert float(f"{bar.length_mm:e}"[:8]) in (1, 2, 5)


def test_the_scale_bar_says_its_length_in_mm():
    assert picture_footer.scale_bar(0.5, 4000).label == "0.5 mm"
    assert picture_footer.scale_bar(10, 1600).label == "2 mm"


def test_the_drawn_scale_bar_has_the_length_that_is_written():
    bar = picture_footer.scale_bar(2.0, 400)  # 0.2 mm, 100 px
    strip = np.asarray(picture_footer.with_footer(plain(400, 10), bar))[12:]
    ink = (strip == overlay.INK).all(axis=-1).sum(axis=1)
    assert ink.max() >= bar.pixels == 100
    longest = strip[ink.argmax()]
    runs = np.flatnonzero((longest == overlay.INK).all(axis=-1))
    assert runs[99] - runs[0] == 99


def test_labels_take_their_class_colour_and_the_rest_stays():
    labels = np.zeros((40, 60), np.uint8)
    labels[10:30, 10:30] = 3
    labels[10:30, 40:50] = 7  # no class has this value
    picture = overlay.colour_labels(plain(), labels, CLASSES, opacity=0.5)
    assert tuple(picture[20, 20]) == (228, 100, 100)
    assert tuple(picture[20, 45]) == (200, 200, 200)
    assert tuple(picture[5, 5]) == (200, 200, 200)
    assert picture[20, 29, 0] > picture[20, 20, 0]  # border nearly opaque


def test_a_heat_map_spans_its_colours_and_leaves_nan_alone():
    values = np.full((40, 60), np.nan, np.float32)
    values[:, :20], values[:, 20:40] = -5.0, 9.0
    picture = overlay.colour_values(plain(), values, low=0, high=1, colormap="gray", opacity=1.0)
    assert picture[0, 0].tolist() == [0, 0, 0]
    assert picture[0, 30].tolist() == [255, 255, 255]
    assert picture[0, 50].tolist() == [200, 200, 200]


def test_the_outline_lies_on_the_inner_border_of_the_mask():
    mask = np.zeros((40, 60), bool)
    mask[10:30, 10:30] = True
    picture = overlay.draw_outline(plain(), mask)
    drawn = (picture == overlay.OUTLINE).all(axis=-1)
    assert drawn[10, 20]
    assert drawn[29, 29]
    assert not drawn[~mask].any()
    assert not drawn[15:25, 15:25].any()


def test_grid_lines_pass_through_the_sample_positions():
    axis = np.array([-0.5, 0.5], np.float32)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    picture = overlay.draw_grid(plain(40, 40), grid, step=1)
    drawn = (picture == overlay.FRAME).all(axis=-1)
    assert drawn[10, 10:30].all() or drawn[9, 10:30].all()
    assert not drawn[20, 20]


def test_the_footer_leaves_the_picture_and_holds_every_class():
    picture = np.random.default_rng(1).integers(0, 255, (80, 150, 3)).astype(np.uint8)
    many = [LabelClass(i, f"A class of a long name {i}", (i, 255 - i, 9)) for i in range(1, 9)]
    image = picture_footer.with_footer(picture, picture_footer.scale_bar(1.0, 150), classes=many)
    assert image.width == 150
    pixels = np.asarray(image)
    np.testing.assert_array_equal(pixels[:80], picture)
    colours = {tuple(colour) for colour in pixels[80:].reshape(-1, 3).tolist()}
    assert {each.color for each in many} <= colours


def test_a_colour_bar_shows_the_whole_map():
    words = picture_footer.ColorBar("gray", "low", "high")
    image = picture_footer.with_footer(
        plain(400, 10), picture_footer.scale_bar(1.0, 400), color_bar=words
    )
    assert isinstance(image, Image.Image)
    greys = np.unique(np.asarray(image.convert("L"))[12:])
    assert len(greys) > 60


def test_pictures_are_the_same_bytes_every_time():
    labels = np.indices((40, 60)).sum(axis=0).astype(np.uint8) % 4

    def draw():
        coloured = overlay.colour_labels(plain(), labels, CLASSES)
        return picture_footer.with_footer(
            coloured, picture_footer.scale_bar(1, 60), classes=CLASSES
        ).tobytes()

    assert draw() == draw()
