from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from stage_results import tile_results, write_screen

from lds_path.errors import LabelsError, StageInputError, UnsuitableSlideError, UsageError
from lds_path.formats.pyramid import PYRAMID_NAME
from lds_path.formats.pyramid_writer import write_pyramid
from lds_path.formats.regions import read_regions
from lds_path.geometry import Frame, Size
from lds_path.options.slides import DetectOptions, TileOptions
from lds_path.provenance.stage_run import run_stage
from lds_path.stages.detect import detect, lay_regions, tissue_share
from lds_path.stages.tile import tile as tile_stage

MPP = 2.0
DOWNSAMPLE = 2.0
GLASS, EOSIN = 243, (226, 140, 186)
SMALL = DetectOptions(region_size=256, overlap=64, lattice=32)


def paint(width=600, height=500, box=(100, 80, 400, 300)):
    """Return a slide, (H, W, 3), with textured tissue in a box (left, top, right, bottom)."""
    view = np.full((height, width, 3), GLASS, np.uint8)
    left, top, right, bottom = box
    noise = np.random.default_rng(0).integers(-20, 20, (bottom - top, right - left, 1))
    view[top:bottom, left:right] = (np.array(EOSIN) + noise).clip(0, 255)
    return view


def write_tile(folder, view, *, mpp=MPP, asked_mpp=MPP):
    size = Size(view.shape[1], view.shape[0])
    frame = Frame(mpp, DOWNSAMPLE, left_l0=100, top_l0=50)

    def work(output, _):
        def read_block(left, top, block):
            part = view[top : top + block.height, left : left + block.width]
            return np.ascontiguousarray(part.transpose(2, 0, 1))

        write_pyramid(output / PYRAMID_NAME, read_block, size, frame, background=GLASS)
        return tile_results(
            size, mpp=mpp, downsample=DOWNSAMPLE, left_l0=100, top_l0=50, file="slide.svs"
        )

    run_stage("tile", folder, work, inputs={}, parameters={"mpp": asked_mpp}, slide="slide")
    return folder


def write_roi(path, *boxes):
    """Write rectangles, in working pixels, as QuPath does: in level-0 pixels of the bounds."""
    features = []
    for box in boxes:
        left, top, right, bottom = (value * DOWNSAMPLE for value in box)
        ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "geometry": geometry, "properties": {}})
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def read_mask(folder):
    return np.asarray(Image.open(folder / "tissue.png"))


@pytest.fixture(scope="module")
def tile(tmp_path_factory):
    return write_tile(tmp_path_factory.mktemp("tile") / "slide", paint())


masks = st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1)).map(
    lambda seed: (
        np.random.default_rng(seed[2]).random(seed[:2])
        < np.random.default_rng(seed[2]).choice([0.01, 0.1, 0.9])
    )
)


@settings(deadline=None)
@given(
    tissue=masks,
    downsample=st.sampled_from([1, 4, 16]),
    size=st.integers(8, 200),
    overlap=st.integers(0, 7),
    odd=st.integers(0, 15),
)
def test_the_regions_cover_all_tissue(tissue, downsample, size, overlap, odd):
    height, width = tissue.shape
    # The last mask pixel may lie on the slide in part only.
    extent = Size(width * downsample - odd % downsample, height * downsample - odd % downsample)
    regions = lay_regions(tissue, extent, downsample, size=size, overlap=overlap, lattice=8)
    covered = np.zeros((extent.height, extent.width), np.bool_)
    for region in regions:
        covered[region.top : region.top + size, region.left : region.left + size] = True
    fine = tissue.repeat(downsample, 0).repeat(downsample, 1)[: extent.height, : extent.width]
    assert covered[fine].all()


@settings(deadline=None)
@given(tissue=masks)
def test_regions_are_counted_row_by_row_on_a_fixed_mesh(tissue):
    extent = Size(tissue.shape[1] * 16, tissue.shape[0] * 16)
    regions = lay_regions(tissue, extent, 16, size=128, overlap=32, lattice=8)
    assert [region.index for region in regions] == list(range(len(regions)))
    corners = [(region.top, region.left) for region in regions]
    assert corners == sorted(corners)
    assert all(top % 96 == 0 and left % 96 == 0 for top, left in corners)


def test_there_are_no_regions_where_there_is_no_tissue():
    tissue = np.zeros((64, 64), np.bool_)
    tissue[40:50, 20:30] = True
    (region,) = lay_regions(tissue, Size(1024, 1024), 16, size=512, overlap=64, lattice=8)
    assert (region.left, region.top) == (0, 448)


def test_tissue_at_the_edge_of_a_region_gets_the_neighbour_too():
    tissue = np.zeros((32, 64), np.bool_)
    tissue[10, 31] = True  # working pixels 496 to 512, the last of the region's 512
    regions = lay_regions(tissue, Size(1024, 512), 16, size=512, overlap=64, lattice=8)
    assert [region.left for region in regions] == [448]


def test_the_share_of_tissue_is_that_of_the_whole_region():
    tissue = np.zeros((32, 64), np.bool_)
    tissue[:, :8] = True
    (region,) = lay_regions(tissue, Size(1024, 512), 16, size=512, overlap=64, lattice=8)
    assert tissue_share(tissue, region, 16) == 0.25


def test_the_mask_shows_the_tissue_of_the_slide(tile, tmp_path):
    manifest = detect(tile, tmp_path / "slide", options=SMALL)
    mask = read_mask(tmp_path / "slide")
    assert manifest.slide == "slide"
    assert set(np.unique(mask)) == {0, 255}
    assert manifest.results["mask_downsample"] == 4
    assert mask.shape == (125, 150)
    true = np.zeros_like(mask)
    true[20:75, 25:100] = 255
    assert (mask == true).mean() > 0.98
    assert manifest.results["tissue_mm2"] == pytest.approx(0.3 * 0.22 * MPP**2, rel=0.08)
    assert manifest.results["pieces"] == 1


def test_the_mask_has_its_scale_where_the_pyramid_ends_before_it(tmp_path):
    tile = write_tile(tmp_path / "tile", paint(400, 400, (50, 50, 350, 350)))  # one level
    manifest = detect(tile, tmp_path / "slide", options=replace(SMALL, tissue_mpp=16))
    assert manifest.results["mask_downsample"] == 8
    assert read_mask(tmp_path / "slide").shape == (50, 50)


def test_the_table_holds_the_regions_with_tissue(tile, tmp_path):
    manifest = detect(tile, tmp_path / "slide", options=SMALL)
    regions = read_regions(tmp_path / "slide" / "regions.tsv")
    assert len(regions) == manifest.results["regions"]
    assert {(region.left, region.top) for region in regions} == {
        (left, top) for left in (0, 192) for top in (0, 192)
    }
    assert regions[0].lattice == Size(32, 32)


def test_the_same_slide_gives_the_same_bytes(tile, tmp_path):
    for name in ("a", "b"):
        detect(tile, tmp_path / name, options=SMALL)
    for name in ("tissue.png", "regions.tsv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_only_the_region_of_interest_is_analysed(tile, tmp_path):
    roi = write_roi(tmp_path / "roi.geojson", (120, 100, 200, 160), (160, 100, 240, 160))
    manifest = detect(tile, tmp_path / "slide", roi=roi, options=SMALL)
    mask = read_mask(tmp_path / "slide")
    true = np.zeros_like(mask)
    true[25:40, 30:60] = 255
    np.testing.assert_array_equal(mask, true)
    assert [region.left for region in read_regions(tmp_path / "slide" / "regions.tsv")] == [0, 192]
    assert set(manifest.inputs) == {"tile", "roi"}


def test_a_region_of_interest_off_the_slide_is_named(tile, tmp_path):
    roi = write_roi(tmp_path / "roi.geojson", (2000, 10, 2100, 20))
    with pytest.raises(LabelsError, match=r"roi.geojson lies outside the slide: .*\(4000, 20, "):
        detect(tile, tmp_path / "slide", roi=roi, strict=True, options=SMALL)


def test_a_region_of_interest_below_a_pixel_is_named(tile, tmp_path):
    roi = write_roi(tmp_path / "roi.geojson", (200, 100, 200.5, 100.5))
    with pytest.raises(LabelsError, match=r"covers no pixel of the tissue mask, .* 8 um per pixel"):
        detect(tile, tmp_path / "slide", roi=roi, strict=True, options=SMALL)


def test_a_region_of_interest_without_polygons_is_named(tile, tmp_path):
    roi = write_roi(tmp_path / "roi.geojson")
    with pytest.raises(LabelsError, match="holds no polygon; draw areas"):
        detect(tile, tmp_path / "slide", roi=roi, strict=True, options=SMALL)


def test_a_region_of_interest_on_glass_holds_no_tissue(tile, tmp_path):
    roi = write_roi(tmp_path / "roi.geojson", (500, 400, 550, 450))
    with pytest.raises(UnsuitableSlideError, match=r"shows no tissue of .* inside .*roi.geojson"):
        detect(tile, tmp_path / "slide", roi=roi, strict=True, options=SMALL)


def test_a_slide_without_tissue_is_quarantined(tmp_path):
    tile = write_tile(tmp_path / "tile", paint(box=(0, 0, 4, 4)))
    manifest = detect(tile, tmp_path / "slide", options=SMALL)
    assert manifest.quarantined
    assert manifest.reason.startswith("slide.svs shows no tissue of 20000 um2 or more at 8 um")
    assert "lower min_tissue_um2" in manifest.reason
    assert not (tmp_path / "slide" / "regions.tsv").exists()


def test_a_fluorescence_slide_is_quarantined(tmp_path):
    view = np.zeros((300, 300, 3), np.uint8)
    view[100:200, 100:200, 2] = 220
    manifest = detect(write_tile(tmp_path / "tile", view), tmp_path / "slide", options=SMALL)
    assert manifest.quarantined
    assert "slide.svs is light on dark" in manifest.reason
    assert "expected stained tissue on bright glass" in manifest.reason


@pytest.mark.parametrize(("mpp", "quarantined"), [(1.0, False), (1.01, True), (28.97, True)])
def test_a_slide_coarser_than_twice_the_working_mpp_is_quarantined(tmp_path, mpp, quarantined):
    tile = write_tile(tmp_path / "tile", paint(), mpp=mpp, asked_mpp=0.5)
    manifest = detect(tile, tmp_path / "slide", options=SMALL)
    assert manifest.quarantined == quarantined
    if quarantined:
        assert f"slide.svs has {mpp:g} um per pixel" in manifest.reason
        assert "expected at most 1, twice the working mpp" in manifest.reason


def test_the_reason_of_the_stage_before_is_passed_on(tmp_path):
    def work(*_):
        raise UnsuitableSlideError("broken")

    run_stage("tile", tmp_path / "tile", work, inputs={}, parameters={})
    manifest = detect(tmp_path / "tile", tmp_path / "slide")
    assert (manifest.reason, manifest.quarantined_by) == ("broken", "tile")


def test_a_folder_that_tile_did_not_finish_is_named(tmp_path):
    (tmp_path / "tile").mkdir()
    with pytest.raises(StageInputError, match=r"tile has no manifest.json"):
        detect(tmp_path / "tile", tmp_path / "slide")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"overlap": 2048}, "overlap is 2048, expected at most half of region_size, 2048"),
        ({"overlap": -1}, "overlap is -1"),
        ({"lattice": 0}, "lattice is 0, expected a whole number from 8 to 8192"),
        ({"lattice": 4096}, "lattice is 4096, expected at most region_size, 2048"),
        ({"tissue_mpp": 0.0}, "tissue_mpp is 0, expected 1 to 64 um per pixel"),
    ],
)
def test_numbers_that_make_no_regions_are_refused(tile, tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        detect(tile, tmp_path / "slide", options=DetectOptions(**options))


@pytest.mark.parametrize(
    ("name", "mpp", "reason"),
    [
        ("CMU-1-Small-Region.svs", None, ""),
        ("tcga-cr-7395-01a-01-ts1.svs", 0.25, ""),
        ("test3-DAPI-2-(387).ndpi", None, "light on dark"),
        ("test3-TRITC 2 (560).ndpi", None, "light on dark"),
        ("multiframe_camelyon_challenge_image.dcm", None, "28.97 um per pixel"),
    ],
)
def test_real_slides_are_analysed_or_quarantined(data, tmp_path, name, mpp, reason):
    tile_stage(data / "slides" / name, tmp_path / "tile", options=TileOptions(slide_mpp=mpp))
    manifest = detect(tmp_path / "tile", tmp_path / "slide")
    assert manifest.quarantined == bool(reason)
    assert reason in manifest.reason
    if not reason:
        assert 0.6 < manifest.results["tissue_mm2"] < 0.75


def test_the_network_takes_the_tissue_from_the_screen(tile, tmp_path):
    """Folded tissue and tissue out of focus is tissue; pen and bubbles are not."""
    found = np.ones((125, 150), np.uint8)  # 4 x 4 pixels of the slide each
    for column, value in enumerate((2, 4, 6, 3, 5)):
        found[20:100, 25 * column : 25 * column + 25] = value
    screened = write_screen(tmp_path / "screen", tile, found, downsample=4.0, mpp=8.0)
    options = replace(SMALL, method="network", min_tissue_um2=100.0, max_hole_um2=100.0)
    manifest = detect(tile, tmp_path / "detect", screened=screened, options=options)
    mask = read_mask(tmp_path / "detect") > 0
    np.testing.assert_array_equal(mask, np.isin(found, (2, 4, 6)))
    assert manifest.results["mask_downsample"] == 4
    assert manifest.results["tissue_mm2"] == pytest.approx(80 * 75 * 0.008**2)
    assert set(manifest.inputs) == {"tile", "screen"}


def test_what_the_network_takes_for_tissue_needs_stain_in_a_tenth_of_a_piece(tile, tmp_path):
    """What dried on the glass is as pale as fat, but holds no strands."""
    found = np.ones((125, 150), np.uint8)  # 4 x 4 pixels of the slide each; stain from (25, 20) on
    found[24:50, 4:50] = 2  # half of it on the stained box
    found[90:110, 20:140] = 2  # beside it
    screened = write_screen(tmp_path / "screen", tile, found, downsample=4.0, mpp=8.0)
    options = replace(SMALL, method="network", min_tissue_um2=100.0, max_hole_um2=100.0)
    manifest = detect(tile, tmp_path / "detect", screened=screened, options=options)
    expected = found == 2
    expected[90:] = False
    np.testing.assert_array_equal(read_mask(tmp_path / "detect") > 0, expected)
    assert manifest.results["tissue_threshold"] > 0


def test_stain_is_looked_for_at_the_scale_of_the_screen(tile, tmp_path):
    found = np.ones((32, 38), np.uint8)  # 16 x 16 pixels of the slide each
    found[6:12, 7:20] = 2
    found[24:30, 5:35] = 2
    screened = write_screen(tmp_path / "screen", tile, found, downsample=16.0, mpp=32.0)
    options = replace(SMALL, method="network", min_tissue_um2=100.0, max_hole_um2=100.0)
    detect(tile, tmp_path / "detect", screened=screened, options=options)
    mask = read_mask(tmp_path / "detect") > 0
    assert mask.shape == found.shape
    assert mask[6:12, 7:20].all()
    assert not mask[24:].any()


def test_the_rules_do_not_need_a_screen(tile, tmp_path):
    manifest = detect(tile, tmp_path / "detect", options=SMALL)
    assert set(manifest.inputs) == {"tile"}


def test_a_network_without_its_screen_is_refused(tile, tmp_path):
    with pytest.raises(UsageError, match=r"from the stage screen; name its folder by --screened"):
        detect(tile, tmp_path / "detect", options=replace(SMALL, method="network"))


def test_a_folder_of_another_stage_is_no_screen(tile, tmp_path):
    options = replace(SMALL, method="network")
    with pytest.raises(StageInputError, match="name the folder of the screen stage"):
        detect(tile, tmp_path / "detect", screened=tile, options=options)
