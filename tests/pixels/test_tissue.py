from __future__ import annotations

import numpy as np
import openslide
import pytest
from PIL import Image
from scipy import ndimage

from lds_path.pixels.tissue import find_surround, find_tissue, is_dark_field
from lds_path.pixels.white_reference import white_reference

MPP = 8.0
GLASS = (243, 242, 243)
EOSIN = (226, 140, 186)
SHAPE = (120, 160)
DISC = (40.0, 60.0, 30.0)


def disc(row, column, radius, shape=SHAPE):
    rows, columns = np.indices(shape) + 0.5
    return np.hypot(rows - row, columns - column) < radius


def glass(colour=GLASS, shape=SHAPE):
    noise = np.random.default_rng(0).normal(0, 1, (*shape, 3))
    return (np.array(colour) + noise).clip(0, 255).astype(np.uint8)


def stain(view, where, colour=EOSIN, strength=1.0):
    """Return the view with textured tissue on it, as light that the stain lets through."""
    texture = ndimage.gaussian_filter(np.random.default_rng(1).normal(0, 1, view.shape[:2]), 1)
    amount = strength * np.where(where, 1 + 0.5 * texture, 0)[..., None]
    passed = (np.array(colour) / 245.0) ** np.maximum(amount, 0)
    return (view * passed).astype(np.uint8)


def find(view, min_tissue_um2=10_000.0, max_hole_um2=10_000.0, **hints):
    bounds = {"min_tissue_um2": min_tissue_um2, "max_hole_um2": max_hole_um2}
    return find_tissue(view, MPP, **bounds, **hints)[0]


def overlap(found, true):
    """Return intersection over union."""
    return (found & true).sum() / (found | true).sum()


@pytest.mark.parametrize("strength", [1.0, 0.3, 0.12])
def test_tissue_is_found_however_faint_the_stain(strength):
    assert overlap(find(stain(glass(), disc(*DISC), strength=strength)), disc(*DISC)) > 0.9


@pytest.mark.parametrize(
    "colour",
    [(226, 140, 186), (120, 80, 160), (150, 100, 60), (120, 118, 117), (90, 130, 190)],
    ids=["eosin", "haematoxylin", "DAB", "silver", "aniline blue"],
)
def test_tissue_is_found_whatever_the_stain(colour):
    assert overlap(find(stain(glass(), disc(*DISC), colour)), disc(*DISC)) > 0.85


@pytest.mark.parametrize("colour", [(255, 255, 255), (225, 223, 228), (245, 236, 214)])
def test_the_tint_of_the_glass_is_not_tissue(colour):
    found = find(stain(glass(colour), disc(*DISC)))
    assert overlap(found, disc(*DISC)) > 0.9


def test_a_view_without_tissue_has_none():
    assert not find(glass()).any()
    assert not find(np.full((*SHAPE, 3), 255, np.uint8)).any()


def test_the_substitute_for_glass_that_was_not_stored_is_not_tissue():
    view = stain(glass((245, 236, 214)), disc(*DISC))
    view[:, 100:] = 232
    found = find(view, background=232)
    assert overlap(found, disc(*DISC)) > 0.9


@pytest.mark.parametrize("strength", [1.0, 0.25])
def test_a_view_that_is_all_tissue_is_all_tissue(strength):
    everywhere = np.ones(SHAPE, np.bool_)
    assert find(stain(glass(), everywhere, strength=strength)).mean() > 0.99


def test_the_seam_of_a_scan_is_not_tissue():
    view = np.full((*SHAPE, 3), 255, np.uint8)
    view[20:, 30:] = 243
    view[60:, 100:] = 238
    assert overlap(find(stain(view, disc(*DISC))), disc(*DISC)) > 0.9


@pytest.mark.parametrize(
    "colour",
    [(30, 140, 80), (60, 160, 140), (40, 60, 170), (200, 30, 35), (30, 30, 35)],
    ids=["green", "teal", "blue", "red", "black"],
)
def test_a_pen_mark_is_not_tissue(colour):
    view = stain(glass(), disc(*DISC)).astype(np.float64)
    stroke = np.zeros(SHAPE)
    stroke[:, 110:125] = 1
    stroke = ndimage.gaussian_filter(stroke, 1)[..., None]
    marked = (view * (1 - stroke) + np.array(colour) * stroke).astype(np.uint8)
    assert overlap(find(marked), disc(*DISC)) > 0.9


def test_a_pen_mark_alone_is_not_tissue():
    view = glass()
    view[:, 110:125] = (40, 60, 170)
    assert not find(view).any()


@pytest.mark.parametrize("colour", [(60, 120, 190), (60, 160, 140)], ids=["blue", "teal"])
def test_a_blue_stain_of_many_strengths_is_not_a_pen(colour):
    view = stain(glass(), disc(*DISC), colour, strength=0.3)
    view = stain(view, disc(40, 60, 15), colour)
    assert overlap(find(view), disc(*DISC)) > 0.85


def test_the_black_beyond_the_scan_is_not_tissue():
    view = stain(glass(), disc(*DISC))
    view[:, :15] = view[-20:] = 4
    view = ndimage.gaussian_filter(view, (1, 1, 0))
    assert overlap(find(view), disc(*DISC)) > 0.9


def test_specks_and_holes_go_by_their_area():
    ring = disc(40, 60, 30) & ~disc(40, 60, 10)
    speck = disc(100, 130, 8)
    view = stain(glass(), ring | speck)
    hole_um2, speck_um2 = np.pi * 10**2 * MPP**2, np.pi * 8**2 * MPP**2
    small = find(view, min_tissue_um2=speck_um2 * 0.5, max_hole_um2=hole_um2 * 0.5)
    assert small[100, 130]
    assert not small[40, 60]
    large = find(view, min_tissue_um2=speck_um2 * 2, max_hole_um2=hole_um2 * 2)
    assert not large[100, 130]
    assert large[40, 60]


def test_light_on_dark_is_recognised():
    view = np.zeros((*SHAPE, 3), np.uint8)
    view[disc(*DISC), 2] = 220
    assert is_dark_field(view)
    assert not is_dark_field(stain(glass(), disc(*DISC)))


def test_a_slide_in_a_wide_black_surround_is_no_dark_field():
    view = np.zeros((240, 320, 3), np.uint8)
    view[60:180, 80:240] = stain(glass(), disc(*DISC))
    assert not is_dark_field(view)
    true = np.pad(disc(*DISC), ((60, 60), (80, 80)))
    assert overlap(find(view), true) > 0.9


@pytest.mark.parametrize("noise", [0, 4])
def test_a_slide_of_which_little_is_scanned_is_no_dark_field(noise):
    view = np.random.default_rng(0).integers(0, noise + 1, (480, 640, 3)).astype(np.uint8)
    view[180:300, 240:400] = stain(glass(), disc(*DISC))
    assert not is_dark_field(view)


def test_the_surround_is_black_up_to_the_border_and_a_black_spot_is_not():
    view = np.zeros((240, 320, 3), np.uint8)
    view[60:180, 80:240] = glass()
    view[100:140, 140:180] = 2
    surround = find_surround(view, MPP)
    assert surround[:60].all()
    assert surround[:, 240:].all()
    assert not surround[70:170, 90:230].any()


def test_the_glass_color_is_read_from_the_glass():
    view = stain(glass((230, 226, 233)), disc(*DISC))
    np.testing.assert_allclose(white_reference(view), (230, 226, 233), atol=2)


def test_the_same_view_gives_the_same_mask():
    view = stain(glass(), disc(*DISC), strength=0.3)
    np.testing.assert_array_equal(find(view), find(view))


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("CMU-1-Small-Region.svs", 0.38, 0.46), ("tcga-cr-7395-01a-01-ts1.svs", 0.62, 0.70)],
)
def test_a_real_slide_has_the_tissue_that_one_sees(data, name, least, most):
    with openslide.OpenSlide(data / "slides" / name) as slide:
        size = slide.level_dimensions[0]
        factor = 16 if name.startswith("CMU") else 32
        view = slide.read_region((0, 0), 0, size).convert("RGB").reduce(factor)
    assert least < find(np.asarray(view)).mean() < most


def test_a_real_image_that_is_all_tissue_is_all_tissue(data):
    with Image.open(data / "breast" / "image_1008.jpg") as image:
        view = np.asarray(image.convert("RGB").reduce(32))
    assert find(view).all()


@pytest.mark.parametrize("name", ["test3-DAPI-2-(387).ndpi", "test3-TRITC 2 (560).ndpi"])
def test_real_fluorescence_is_dark_field(data, name):
    with openslide.OpenSlide(data / "slides" / name) as slide:
        view = slide.read_region((0, 0), 5, slide.level_dimensions[5]).convert("RGB")
    assert is_dark_field(np.asarray(view))


# --- hints -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(data):
    """Optical densities of a real slide on its glass, (H, W, 3), and where its tissue is."""
    with openslide.OpenSlide(data / "slides" / "CMU-1-Small-Region.svs") as slide:
        view = np.asarray(slide.read_region((0, 0), 0, slide.dimensions).convert("RGB").reduce(16))
    density = -np.log10(np.maximum(view, 1) / white_reference(view))
    return np.maximum(density, 0), find(view)


def through(density):
    """Return the view of stains with these densities on glass."""
    return (np.array(GLASS) * 10**-density + 0.5).astype(np.uint8)


def stained_by_dab(density, counterstain):
    """Return a view of which two fifths are brown, and the rest only counterstained, and that faintly."""
    amount = density.mean(axis=2, keepdims=True)
    brown = np.arange(density.shape[1])[:, None] > 0.6 * density.shape[1]
    dab = np.array([0.56, 0.94, 1.5])
    blue = np.array([1.4, 1.27, 0.33])
    return through(amount * (counterstain * blue + np.where(brown, 3 * dab, 0))), ~brown[:, 0]


def test_tissue_that_is_only_counterstained_is_found_beside_dab(real):
    density, tissue = real
    view, pale = stained_by_dab(density, 0.08)
    shown = tissue[:, pale]
    assert find(view)[:, pale][shown].mean() < 0.4
    found = find(view, follows_stain=False)
    assert found[:, pale][shown].mean() > 0.8
    assert found[~tissue].mean() < 0.05


def test_a_threshold_finds_the_tissue_of_a_pale_slide(real):
    density, tissue = real
    view = through(0.04 * density)
    assert find(view)[tissue].mean() < 0.5
    found = find(view, threshold=0.006)
    assert found[tissue].mean() > 0.85
    assert found[~tissue].mean() < 0.02


def test_the_threshold_that_was_found_gives_the_same_mask(real):
    view = through(real[0])
    bounds = {"min_tissue_um2": 1e4, "max_hole_um2": 1e4}
    mask, threshold = find_tissue(view, MPP, **bounds)
    assert 0.02 < threshold <= 0.06
    np.testing.assert_array_equal(find_tissue(view, MPP, **bounds, threshold=threshold)[0], mask)
