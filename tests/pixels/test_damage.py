"""Each metric of a slide moves the right way, and alone, on tissue that was spoilt for it."""

import damage
import numpy as np
import openslide
import pytest
from PIL import Image

from lds_path.geometry import Size
from lds_path.pixels.artefacts import KINDS, find_artefacts
from lds_path.pixels.focus import blur
from lds_path.pixels.row_strips import optical_density
from lds_path.pixels.stains import find_stains, staining
from lds_path.pixels.synthetic import EOSIN, HEMATOXYLIN, paint_slide
from lds_path.pixels.tissue import find_tissue
from lds_path.pixels.white_reference import white_reference
from lds_path.quality.metrics.metric import percent_of

SOURCES = ("painted", "cmu", "tcga", "breast")
DAMAGED = {
    "fold": damage.folded,
    "dark": damage.soiled,
    "pen": damage.marked,
    "bubble": damage.bubbled,
}


@pytest.fixture(scope="module", params=SOURCES)
def tissue_picture(request):
    """Tissue at 0.5 um per pixel: painted, and of three real slides."""
    if request.param == "painted":
        return np.concatenate(list(paint_slide(3, Size(2304, 3072)).strips()))
    data = request.getfixturevalue("data")
    if request.param == "breast":
        return np.asarray(Image.open(data / "breast" / "image_1008.jpg").convert("RGB").reduce(2))
    name, halve = {
        "cmu": ("CMU-1-Small-Region.svs", 1),
        "tcga": ("tcga-cr-7395-01a-01-ts1.svs", 2),
    }[request.param]
    with openslide.OpenSlide(data / "slides" / name) as slide:
        image = slide.read_region((0, 0), 0, slide.dimensions).convert("RGB")
    return np.asarray(image.reduce(halve))


def artefact_percent(picture):
    view = np.asarray(Image.fromarray(picture).reduce(16))
    tissue, _ = find_tissue(view, 8.0, min_tissue_um2=20000, max_hole_um2=20000)
    found = find_artefacts(view, tissue, 8.0, glass=white_reference(view))
    return {kind: percent_of(mask, tissue | mask) for kind, mask in found.items()}


def windows(picture, side=256):
    view = np.asarray(Image.fromarray(picture).reduce(16))
    tissue, _ = find_tissue(view, 8.0, min_tissue_um2=20000, max_hole_um2=20000)
    cells = side // 16
    return [
        (slice(16 * y, 16 * y + side), slice(16 * x, 16 * x + side))
        for y in range(0, tissue.shape[0] - cells + 1, cells)
        for x in range(0, tissue.shape[1] - cells + 1, cells)
        if tissue[y : y + cells, x : x + cells].all()
    ]


def densities(picture, places):
    glass = white_reference(picture[::4, ::4])
    pixels = np.concatenate([picture[place][::4, ::4].reshape(-1, 1, 3) for place in places])
    return optical_density(pixels, glass)[:, 0]


def test_sound_tissue_has_no_artefacts(tissue_picture):
    assert max(artefact_percent(tissue_picture).values()) < 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_an_artefact_is_found_by_its_own_metric(tissue_picture, kind):
    before = artefact_percent(tissue_picture)
    after = artefact_percent(DAMAGED[kind](tissue_picture))
    assert after[kind] > before[kind] + (0.1 if kind == "dark" else 1.0)
    named = {other: after[other] for other in KINDS if other not in (kind, "dark")}
    assert all(share < 0.5 for share in named.values()), named


def test_an_edge_of_the_cover_slip_is_found_where_it_is_long_enough(tissue_picture):
    edge = artefact_percent(damage.edged(tissue_picture))["bubble"]
    assert (edge > 0.5) == (tissue_picture.shape[0] > 2900)


@pytest.mark.parametrize("change", [damage.blurred, lambda one: damage.stained(one, 0.3)])
def test_blur_and_pale_stains_are_no_artefacts(tissue_picture, change):
    assert max(artefact_percent(change(tissue_picture)).values()) < 0.5


def test_blur_rises_with_the_width_of_the_blur_and_crosses_the_limit(tissue_picture):
    places = windows(tissue_picture)[:20]
    medians = [
        np.median([blur(damage.blurred(tissue_picture[place], sigma)) for place in places])
        for sigma in (0.01, 1, 2, 4)
    ]
    assert medians == sorted(medians)
    assert medians[0] < 0.4
    assert medians[-1] > 0.6


@pytest.mark.parametrize("strength", [0.3, 2.0])
def test_blur_does_not_depend_on_the_strength_of_the_stain(tissue_picture, strength):
    places = windows(tissue_picture)[:20]
    pieces = [tissue_picture[place] for place in places]
    glass = white_reference(tissue_picture[::4, ::4])
    before = np.median([blur(piece) for piece in pieces])
    after = np.median([blur(damage.stained(piece, strength, glass)) for piece in pieces])
    assert after == pytest.approx(before, abs=0.03)


def test_stains_grow_with_their_strength(tissue_picture):
    places = windows(tissue_picture)
    glass = white_reference(tissue_picture[::4, ::4])
    pixels = np.concatenate([tissue_picture[place][::4, ::4] for place in places])
    found = [
        optical_density(damage.stained(pixels, strength, glass), glass).reshape(-1, 3)
        for strength in (0.4, 1.0, 2.0)
    ]
    stains = [find_stains(density) for density in found]
    for values in (
        [staining(density) for density in found],
        [each.first for each in stains],
        [each.second for each in stains],
    ):
        assert values[0] < 0.6 * values[1]
        assert values[2] > 1.25 * values[1]


def test_the_painted_stains_are_those_that_were_painted():
    picture = np.concatenate(list(paint_slide(3, Size(3072, 2560)).strips()))
    stains = find_stains(densities(picture, windows(picture)))
    for found, painted in (
        (stains.first_vector, HEMATOXYLIN),
        (stains.second_vector, EOSIN),
    ):
        assert np.dot(found, painted) / np.linalg.norm(painted) > 0.99


def test_unstained_pixels_have_no_stains():
    clear = np.full((1000, 3), 0.01, np.float32)
    assert find_stains(clear) is None
    assert staining(clear) == pytest.approx(0.01)
    assert staining(clear[:0]) is None


def test_blur_of_a_checkerboard_is_lower_than_of_its_blurred_copy():
    tile = np.kron(np.indices((8, 8)).sum(axis=0) % 2, np.ones((8, 8)))
    sharp = np.repeat((tile * 255)[..., None], 3, axis=-1).astype(np.uint8)
    assert blur(sharp) < blur(damage.blurred(sharp, 1)) < blur(damage.blurred(sharp, 3))


def test_black_around_the_scan_is_no_dark_spot_and_black_on_tissue_is():
    scan = np.full((120, 160, 3), (200, 120, 170), np.uint8)
    scan[:20] = 243
    scan[50:70, 60:80] = 4
    view = np.zeros((240, 320, 3), np.uint8)
    view[60:180, 80:240] = scan
    tissue = np.zeros((240, 320), np.bool_)
    tissue[80:180, 80:240] = True
    glass = white_reference(view)
    dark = find_artefacts(view, tissue, 8.0, glass=glass).dark
    expected = np.zeros_like(tissue)
    expected[110:130, 140:160] = True
    assert np.array_equal(dark, expected)
