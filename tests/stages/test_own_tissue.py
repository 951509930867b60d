"""Tissue that someone outlined, or drew as a mask, in place of what the detector finds."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from test_detect import SMALL, paint, read_mask, write_roi, write_tile

from lds_path.errors import LabelsError
from lds_path.stages.detect import detect

PALE = (238, 236, 240)
BOX = (100, 80, 400, 300)


@pytest.fixture(scope="module")
def pale(tmp_path_factory):
    """A slide whose tissue is hardly darker than the glass."""
    view = paint(box=(0, 0, 1, 1))
    left, top, right, bottom = BOX
    view[top:bottom, left:right] = PALE
    return write_tile(tmp_path_factory.mktemp("tile") / "slide", view)


def in_mask(box):
    """Return the tissue mask, 4 x 4 pixels of the slide each, of a box."""
    mask = np.zeros((125, 150), bool)
    left, top, right, bottom = (value // 4 for value in box)
    mask[top:bottom, left:right] = True
    return mask


def draw(box, width, height):
    """Return an image of the whole slide with a box."""
    image = np.zeros((height, width), np.uint8)
    left, right = (value * width // 600 for value in box[::2])
    top, bottom = (value * height // 500 for value in box[1::2])
    image[top:bottom, left:right] = 1
    return image


def test_a_pale_slide_is_quarantined_with_the_way_to_analyse_it(pale, tmp_path):
    manifest = detect(pale, tmp_path / "slide", options=SMALL)
    assert manifest.quarantined
    assert "outline it in QuPath and name the exported GeoJSON in the column `tissue`" in (
        manifest.reason
    )


def test_a_threshold_finds_the_tissue_that_was_missed(tmp_path):
    left, top, right, bottom = BOX
    view = paint(box=(0, 0, 1, 1))
    view[top:bottom, left:right] = PALE
    view += np.random.default_rng(0).integers(0, 3, view.shape, np.uint8)  # as glass has it
    slide = write_tile(tmp_path / "tile" / "slide", view)
    first = detect(slide, tmp_path / "slide", options=SMALL)
    assert "with a staining above 0.02; if it has some, write a lower number, such as 0.01," in (
        first.reason
    )
    options = replace(SMALL, tissue_threshold=0.005)
    manifest = detect(slide, tmp_path / "slide", options=options)
    assert manifest.results["tissue_threshold"] == 0.005
    found, drawn = read_mask(tmp_path / "slide") > 0, in_mask(BOX)
    assert (found & drawn).sum() / (found | drawn).sum() > 0.9


def test_of_ihc_the_threshold_does_not_follow_the_stain(tmp_path):
    slide = write_tile(tmp_path / "tile" / "slide", paint(box=BOX))
    found = {
        stain: detect(slide, tmp_path / stain, options=replace(SMALL, stain=stain)).results[
            "tissue_threshold"
        ]
        for stain in ("H&E", "IHC")
    }
    assert found["IHC"] == 0.02 < found["H&E"]


def test_an_outline_replaces_the_detector(pale, tmp_path):
    outline = write_roi(tmp_path / "outline.geojson", BOX)
    manifest = detect(pale, tmp_path / "slide", tissue=outline, options=SMALL)
    np.testing.assert_array_equal(read_mask(tmp_path / "slide") > 0, in_mask(BOX))
    assert manifest.results["tissue_mm2"] == pytest.approx(300 * 220 * 0.002**2)
    assert set(manifest.inputs) == {"tile", "tissue"}


def test_an_outline_is_taken_where_the_network_would_be_asked(pale, tmp_path):
    outline = write_roi(tmp_path / "outline.geojson", BOX)
    options = replace(SMALL, method="network")
    assert not detect(pale, tmp_path / "slide", tissue=outline, options=options).quarantined


@pytest.mark.parametrize("width", [600, 150, 75, 1200])
def test_a_mask_of_any_scale_replaces_the_detector(pale, tmp_path, width):
    image = draw(BOX, width, round(width * 500 / 600))
    Image.fromarray(image).save(tmp_path / "mask.png")
    detect(pale, tmp_path / "slide", tissue=tmp_path / "mask.png", options=SMALL)
    different = (read_mask(tmp_path / "slide") > 0) != in_mask(BOX)
    assert different.sum() <= (0 if width != 75 else 2 * (55 + 75))  # half a pixel of the mask


def test_the_mask_of_another_run_can_be_corrected_and_used(pale, tmp_path):
    detect(pale, tmp_path / "a", tissue=write_roi(tmp_path / "o.json", BOX), options=SMALL)
    corrected = tmp_path / "a/tissue.png"
    detect(pale, tmp_path / "b", tissue=corrected, options=SMALL)
    np.testing.assert_array_equal(read_mask(tmp_path / "b"), read_mask(corrected.parent))


def test_the_region_of_interest_restricts_an_outline(pale, tmp_path):
    outline = write_roi(tmp_path / "outline.geojson", BOX)
    roi = write_roi(tmp_path / "roi.geojson", (200, 0, 600, 500))
    detect(pale, tmp_path / "slide", roi=roi, tissue=outline, options=SMALL)
    inside = in_mask((200, *BOX[1:]))
    np.testing.assert_array_equal(read_mask(tmp_path / "slide") > 0, inside)


def test_the_whole_slide_can_be_analysed(pale, tmp_path):
    detect(pale, tmp_path / "slide", options=replace(SMALL, method="whole"))
    assert (read_mask(tmp_path / "slide") > 0).all()


def test_a_mask_of_another_shape_is_refused(pale, tmp_path):
    Image.fromarray(np.ones((100, 100), np.uint8)).save(tmp_path / "mask.png")
    message = r"mask.png has 100 x 100 pixels, which is not the shape of the slide, 600 x 500"
    with pytest.raises(LabelsError, match=message):
        detect(pale, tmp_path / "slide", tissue=tmp_path / "mask.png", strict=True, options=SMALL)


def test_a_mask_that_is_too_large_is_refused(pale, tmp_path, monkeypatch):
    monkeypatch.setattr("lds_path.reference.outlines.MAX_PIXELS", 1000)
    Image.fromarray(draw(BOX, 150, 125)).save(tmp_path / "mask.png")
    with pytest.raises(LabelsError, match="has 150 x 125 pixels, expected at most 1000 in all"):
        detect(pale, tmp_path / "slide", tissue=tmp_path / "mask.png", strict=True, options=SMALL)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.zeros((125, 150), np.uint8), "covers no pixel of the tissue mask"),
        (np.zeros((125, 150, 3), np.uint8), "one 8-bit channel"),
        (b"not an image", "cannot be read as an image"),
    ],
)
def test_a_file_that_is_no_mask_is_named(pale, tmp_path, content, message):
    mask = tmp_path / "mask.png"
    if isinstance(content, bytes):
        mask.write_bytes(content)
    else:
        Image.fromarray(content).save(mask)
    with pytest.raises(LabelsError, match=f"mask.png.*({message})"):
        detect(pale, tmp_path / "slide", tissue=mask, strict=True, options=SMALL)


def test_a_file_that_does_not_exist_is_named(pale, tmp_path):
    for name in ("colon", "outline.geojson"):
        with pytest.raises(LabelsError, match=f"{name} does not exist; expected GeoJSON or a mask"):
            detect(pale, tmp_path / "slide", tissue=tmp_path / name, strict=True, options=SMALL)


def test_an_outline_without_area_is_counted(pale, tmp_path):
    path = write_roi(tmp_path / "outline.geojson", BOX, (20, 20, 20, 20))
    manifest = detect(pale, tmp_path / "slide", tissue=path, options=SMALL)
    assert manifest.results["empty_objects"] == 1
    assert len(json.loads(path.read_text())["features"]) == 2
