"""A colour profile is named, kept, or applied wherever pixels are read."""

import struct

import numpy as np
import pytest
import tifffile
from ngff import random_pixels
from PIL import Image, ImageCms

from lds_path.errors import UnsuitableSlideError
from lds_path.formats.pyramid import open_pyramid
from lds_path.geometry import Size
from lds_path.options.slides import TileOptions
from lds_path.slides.slide import open_slide
from lds_path.stages import tile as stage
from lds_path.stages.tile import tile

PIXELS = random_pixels(480, 600)
PIXELS[:100] = 255


def swapped_profile():
    """Return the profile of sRGB with the primaries red and blue swapped."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = {profile[at : at + 4].decode(): at for at in range(132, 132 + 12 * count, 12)}
    red, blue = (bytes(profile[entries[f"{c}XYZ"] + 4 : entries[f"{c}XYZ"] + 12]) for c in "rb")
    profile[entries["rXYZ"] + 4 : entries["rXYZ"] + 12] = blue
    profile[entries["bXYZ"] + 4 : entries["bXYZ"] + 12] = red
    return bytes(profile)


def write_png(path, profile):
    Image.fromarray(PIXELS).save(path, icc_profile=profile)


def write_tiff(path, profile):
    """Write tiles, which OpenSlide describes and the package decodes."""
    with tifffile.TiffWriter(path) as writer:
        for step in (1, 2):
            writer.write(
                PIXELS[::step, ::step], tile=(128, 128), photometric="rgb", compression="deflate",
                metadata=None, subfiletype=int(step > 1), iccprofile=profile,
            )  # fmt: skip


def write_ome(path, profile):
    metadata = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(
        path, PIXELS, ome=True, tile=(128, 128), photometric="rgb", metadata=metadata,
        iccprofile=profile,
    )  # fmt: skip


FILES = {"a.png": write_png, "a.tif": write_tiff, "a.ome.tif": write_ome}


@pytest.mark.parametrize("file", FILES)
def test_colours_are_kept_or_converted_to_srgb(tmp_path, file):
    FILES[file](tmp_path / file, swapped_profile())
    with open_slide(tmp_path / file, mpp=0.5) as slide:
        np.testing.assert_array_equal(slide.read_region(0, 0, 0, slide.size), PIXELS)
        assert not slide.is_converted
    with open_slide(tmp_path / file, mpp=0.5, to_srgb=True) as slide:
        found = slide.read_region(0, 0, 0, slide.size).astype(int)
        assert slide.is_converted
        assert (found[:100] == 255).all()
        assert np.abs(found - PIXELS[..., ::-1]).max() <= 2
        assert (slide.read_region(0, 590, 470, Size(50, 50))[20:, 20:] == 255).all()


def test_a_slide_without_a_profile_stays_as_it_is(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    with open_slide(tmp_path / "a.png", mpp=0.5, to_srgb=True) as slide:
        assert not slide.is_converted
        np.testing.assert_array_equal(slide.read_region(0, 0, 0, slide.size), PIXELS)


@pytest.mark.parametrize("kind", ["damaged", "of lightness"])
def test_a_profile_that_cannot_be_applied_is_told_and_does_no_harm_if_it_is_kept(tmp_path, kind):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    write_tiff(tmp_path / "a.tif", bytes(500) if kind == "damaged" else lab)
    open_slide(tmp_path / "a.tif", mpp=0.5).close()
    with pytest.raises(UnsuitableSlideError, match=r"a\.tif has a colour profile .* to keep"):
        open_slide(tmp_path / "a.tif", mpp=0.5, to_srgb=True)


@pytest.mark.parametrize("finest", [0, 1])
def test_a_pyramid_and_the_levels_that_it_does_not_store_are_converted(
    tmp_path, monkeypatch, finest
):
    monkeypatch.setattr(stage, "SMALL_PIXELS", 0)
    write_ome(tmp_path / "a.ome.tif", swapped_profile())
    options = TileOptions(icc="apply", finest_level=finest)
    manifest = tile(tmp_path / "a.ome.tif", tmp_path / "out", options=options)
    assert manifest.parameters["icc"] == "apply"
    assert manifest.results["icc_applied"] is True
    assert manifest.results["icc_name"] == "sRGB built-in"
    pyramid = open_pyramid(tmp_path / "out")
    found = pyramid.read(0, 0, 120, Size(600, 360)).astype(int)
    assert np.abs(found - PIXELS[120:, :, ::-1]).max() <= 2
