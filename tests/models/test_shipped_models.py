"""The shipped models know their own slides, and that others are not among them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lds_path.geometry import Size
from lds_path.models.card import SHIPPED, read_card, shipped_models
from lds_path.pixels.stains import WINDOW_SIDE, window_colours
from lds_path.pixels.synthetic import paint_slide


def unlike(model, image):
    """Return which fraction of an image's windows of tissue is stained unlike a model's slides."""
    rows, columns = (side // WINDOW_SIDE * WINDOW_SIDE for side in image.shape[:2])
    windows = [
        image[top : top + WINDOW_SIDE, left : left + WINDOW_SIDE]
        for top in range(0, rows, WINDOW_SIDE)
        for left in range(0, columns, WINDOW_SIDE)
    ]
    colours = window_colours(windows)
    assert len(colours) > 4
    return read_card(SHIPPED / model).familiarity.colours.beyond(colours) / len(colours)


def read_image(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def paint(seed):
    return np.concatenate(list(paint_slide(seed, Size(2560, 2048)).strips()))


def test_each_says_how_it_was_cut_up_what_it_is_for_and_what_it_knows():
    for name in shipped_models():
        card = read_card(SHIPPED / name)
        share = 4 if name == "tissue-qc" else 8
        assert card.overlap == card.region_size.width // share, name
        assert card.description, name
        assert None not in vars(card.familiarity).values(), name
        assert card.synthetic == (name == "demo")
        dice = dict(card.scores["tune_dice"])
        if name == "tissue-qc":  # its card says that it does not know folds
            dice = {"Tissue": dice["Tissue"], "Glass": dice["Glass"]}
        assert min(dice.values()) > 0.8


@pytest.mark.parametrize("seed", [101, 102])
def test_painted_slides_are_stained_like_those_of_the_demo_model(seed):
    assert unlike("demo", paint(seed)) < 0.2
    assert unlike("glomeruli-pas", paint(seed)) > 0.5


def test_real_slides_are_not(data):
    for path in (data / "glomeruli/images/10003.png", data / "breast/image_1008.jpg"):
        assert unlike("demo", read_image(path)) == 1


def test_the_kidney_model_knows_its_stain_and_no_other(data):
    for path in sorted((data / "glomeruli/images").glob("*.png")):
        assert unlike("glomeruli-pas", read_image(path)) < 0.3, path.name
    assert unlike("glomeruli-pas", read_image(data / "breast/image_1008.jpg")) > 0.9
