"""DICOM slides in compressions that OpenSlide refuses: pixels as written, levels, and what is refused."""

import sys

import imagecodecs
import numpy as np
import openslide
import pytest
import wsidicom  # noqa: F401 - pydicom then knows JPEG XL
from dicom import new_uid, place_on_glass, to_jpeg, write_instance
from ngff import pyramid, random_pixels
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import UID

from lds_path.errors import UnreadableSlideError, UnsuitableSlideError, UsageError
from lds_path.geometry import Size
from lds_path.slides.slide import open_slide

LEVELS = pyramid(random_pixels(512, 768), 2)
HTJ2K, JPEG_LS, JPEG_XL = (
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.110",
)
KINDS = {
    "JPEG XL": (JPEG_XL, lambda tile: imagecodecs.jpegxl_encode(tile, lossless=True), "RGB"),
    "JPEG-LS": (JPEG_LS, imagecodecs.jpegls_encode, "RGB"),
    "HTJ2K": (HTJ2K, imagecodecs.htj2k_encode, "YBR_RCT"),
}


def write(folder, kind="JPEG XL", levels=LEVELS, **options):
    """Write the levels of a slide, and return the file of the finest."""
    syntax, encode, photometric = KINDS[kind]
    series = new_uid()
    for number, pixels in enumerate(levels):
        write_instance(
            folder / f"{number}.dcm", pixels, 0.25 * 2**number, series, photometric=photometric,
            syntax=syntax, encode=lambda tile: bytes(encode(np.ascontiguousarray(tile))), **options,
        )  # fmt: skip
        place_on_glass(folder / f"{number}.dcm")
    return folder / "0.dcm"


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])
def test_a_file_beside_a_slide_in_a_syntax_that_is_not_read_is_not_called_cut_short(
    tmp_path, syntax
):
    path = write(tmp_path, levels=LEVELS[:1])
    other = Dataset()
    other.file_meta = dcmread(path).file_meta
    other.file_meta.TransferSyntaxUID = UID(syntax)
    other.SeriesInstanceUID = new_uid()
    dcmwrite(tmp_path / "other.dcm", other, enforce_file_format=True)
    with open_slide(path) as slide:
        assert slide.size == Size(768, 512)


@pytest.mark.parametrize("kind", KINDS)
def test_levels_mpp_and_pixels_are_those_that_were_written(tmp_path, kind):
    path = write(tmp_path / "a", kind)
    with pytest.raises(openslide.OpenSlideError, match="Unsupported transfer syntax"):
        openslide.OpenSlide(path)  # else OpenSlide reads it, and this reader is not asked
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx(0.25)
        assert [level.downsample for level in slide.levels] == [1, 2, 4]
        for number, pixels in enumerate(LEVELS):
            shown = slide.read_region(number, 0, 0, slide.levels[number].size)
            np.testing.assert_array_equal(shown, pixels)
        part = slide.read_region(1, 350, -10, Size(100, 60))
        np.testing.assert_array_equal(part[10:, :34], LEVELS[1][:50, 350:])
        assert (part[:10] == 255).all()
        assert (part[:, 34:] == 255).all()


def test_what_openslide_reads_is_read_by_openslide(tmp_path):
    write_instance(tmp_path / "0.dcm", LEVELS[0], 0.25, new_uid(), encode=to_jpeg)
    with open_slide(tmp_path / "0.dcm") as slide:
        assert slide.description.format == "OpenSlide dicom"


def test_frames_whose_colours_the_header_mistakes_are_refused(tmp_path):
    tissue = np.full((256, 256, 3), (180, 90, 150), np.uint8)
    path = tmp_path / "0.dcm"
    write_instance(path, tissue, 0.25, new_uid(), photometric="RGB", encode=to_jpeg)
    shown = np.asarray(openslide.OpenSlide(path).read_region((0, 0), 0, (256, 256)))[..., :3]
    assert np.abs(shown.astype(int) - tissue).mean() > 20  # else OpenSlide may read it
    with pytest.raises(UnsuitableSlideError, match=r"states RGB .* YCbCr.*correct the element"):
        open_slide(path)


def test_another_slide_in_the_folder_is_no_level(tmp_path):
    path = write(tmp_path / "a", levels=LEVELS[:1])
    write_instance(tmp_path / "a" / "other.dcm", LEVELS[1], 0.5, new_uid())
    with open_slide(path) as slide:
        assert len(slide.levels) == 1


def test_an_instance_that_is_passed_over_is_named(tmp_path):
    path = write(tmp_path / "a")
    level = dcmread(tmp_path / "a" / "1.dcm")
    level.StudyInstanceUID = new_uid()
    level.save_as(tmp_path / "a" / "1.dcm", enforce_file_format=True)
    with pytest.raises(UnreadableSlideError, match=r"1\.dcm is of the series of .* but does not"):
        open_slide(path)


def test_damage_is_named(tmp_path):
    path = write(tmp_path / "a", levels=LEVELS[:1])
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with (
        pytest.raises(UnreadableSlideError, match="copy it again from its source"),
        open_slide(path) as slide,
    ):
        slide.read_region(0, 0, 0, slide.size)


def test_the_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wsidicom", None)
    with pytest.raises(UsageError, match=r'pip install "lds-path\[dicom\]"'):
        open_slide(write(tmp_path / "a"))
