from __future__ import annotations

import corpus_recipes as make
import pytest
import tifffile

from lds_path.errors import UnreadableSlideError
from lds_path.slides.tiff_check import check_tiff


@pytest.fixture(scope="module")
def source():
    return make.make_source(None)


def check(path):
    with tifffile.TiffFile(path) as file:
        check_tiff(path, file)


@pytest.mark.parametrize(
    "options", [{}, {"bigtiff": True}, {"byteorder": ">"}, {"tile": None}, {"compression": None}]
)
def test_a_whole_tiff_is_accepted(tmp_path, source, options):
    make.write_tiff(tmp_path / "a.tif", source, **options)
    check(tmp_path / "a.tif")


def test_real_slides_are_accepted(data):
    for path in [*(data / "slides").glob("*.svs"), *(data / "slides").glob("*.ndpi")]:
        check(path)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 0.9])
def test_a_tiff_cut_short_is_refused(tmp_path, source, share):
    make.truncate(tmp_path / "a.tif", source, share=share)
    with pytest.raises(UnreadableSlideError, match="cut short"):
        check(tmp_path / "a.tif")


def test_one_missing_byte_of_pixels_is_found(tmp_path, source):
    make.write_tiff(tmp_path / "a.tif", source)
    content = (tmp_path / "a.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        page = file.pages.first
        end = max(map(sum, zip(page.dataoffsets, page.databytecounts, strict=True)))
    (tmp_path / "b.tif").write_bytes(content[:end])
    check(tmp_path / "b.tif")
    (tmp_path / "c.tif").write_bytes(content[: end - 1])
    with pytest.raises(UnreadableSlideError, match="cut short"):
        check(tmp_path / "c.tif")


def test_directories_in_a_circle_are_refused(tmp_path, source):
    make.loop_directories(tmp_path / "a.tif", source)
    with pytest.raises(UnreadableSlideError, match="form a cycle"):
        check(tmp_path / "a.tif")


def test_a_tile_too_large_to_hold_is_refused(tmp_path, source):
    make.write_tags(tmp_path / "a.tif", source, (65536, 65536), (65536, 65536), counts=1000)
    with pytest.raises(UnreadableSlideError, match="65536 x 65536"):
        check(tmp_path / "a.tif")


def test_fewer_tiles_than_the_size_needs_are_refused(tmp_path, source):
    make.set_tags(tmp_path / "a.tif", source, ImageWidth=2_000_000)
    with pytest.raises(UnreadableSlideError, match="2000000"):
        check(tmp_path / "a.tif")


def test_fewer_strips_than_the_size_of_any_page_needs_are_refused(tmp_path, source):
    """The strips of a height that a damaged tag states would fill the memory."""
    make.write_tiff(tmp_path / "a.tif", source, tile=None, rowsperstrip=7)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as file:
        file.pages.first.tags["ImageLength"].overwrite(2**31, dtype=4)
    with pytest.raises(UnreadableSlideError, match="69 strips for an image of 600 x 2147483648"):
        check(tmp_path / "a.tif")


def test_entities_in_ome_xml_are_refused(tmp_path, source):
    make.write_ome(tmp_path / "a.ome.tif", source, make.laughs())
    with pytest.raises(UnreadableSlideError, match="document type"):
        check(tmp_path / "a.ome.tif")
    make.write_ome(tmp_path / "b.ome.tif", source, make.ome_xml(prolog="<!-- a remark -->"))
    check(tmp_path / "b.ome.tif")
