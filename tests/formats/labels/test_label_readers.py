"""The label TIFF as programs outside Python read it, level by level, without loss."""

import re
import shutil
import subprocess

import numpy as np
import openslide
import pytest
import tifffile

from lds_path.classes import LabelClass
from lds_path.formats.labels.label_images import Labels, label_blocks, write_labels
from lds_path.geometry import Size

SIZE, MPP, LEVELS = Size(2075, 1301), 0.4990123, 4


def need(program):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed (Debian: libtiff-tools, libvips-tools)")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("labels") / "s1.labels.ome.tif"
    coarse = np.random.default_rng(3).integers(0, 5, (70, 80), np.uint8)
    pixels = coarse.repeat(19, 0).repeat(26, 1)[: SIZE.height, : SIZE.width]
    blocks = (
        pixels[one.top :, one.left :][: one.size.height, : one.size.width]
        for one in label_blocks(SIZE)
    )
    classes = [LabelClass(value, f"class {value}", (value, 0, 0)) for value in range(1, 5)]
    write_labels(path, blocks, SIZE, mpp=MPP, classes=classes)
    with Labels(path) as labels:
        levels = [labels.read(k, 0, 0, labels.level_size(k)) for k in range(labels.level_count)]
    np.testing.assert_array_equal(levels[0], pixels)
    assert len(levels) == LEVELS
    return path, levels


def test_tifffile_reads_every_level(written):
    path, levels = written
    with tifffile.TiffFile(path) as file:
        for found, expected in zip(file.series[0].levels, levels, strict=True):
            np.testing.assert_array_equal(found.asarray(), expected)


def test_openslide_reads_the_finest_level_and_its_pixel_size(written):
    path, levels = written
    with openslide.OpenSlide(path) as slide:
        pixels = np.asarray(slide.read_region((0, 0), 0, slide.dimensions))[..., 0]
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(MPP, rel=1e-6)
    np.testing.assert_array_equal(pixels, levels[0])


@pytest.mark.parametrize("level", range(LEVELS))
def test_vips_reads_every_level_and_its_pixel_size(written, tmp_path, level):
    need("vips")
    path, levels = written
    source = f"{path}[subifd={level - 1}]"
    run("vips", "rawsave", source, str(tmp_path / "pixels.raw"))
    pixels = np.fromfile(tmp_path / "pixels.raw", np.uint8).reshape(levels[level].shape)
    np.testing.assert_array_equal(pixels, levels[level])
    pixels_per_mm = float(run("vipsheader", "-f", "xres", source))
    assert 1000 / pixels_per_mm == pytest.approx(MPP * 2**level, rel=1e-5)


def test_libtiff_reads_every_level_and_finds_no_fault(written, tmp_path):
    need("tiffinfo")
    path, levels = written
    said = subprocess.run(["tiffinfo", str(path)], check=True, capture_output=True, text=True)
    assert "rror" not in said.stderr
    # tiffcp takes a level by the offset of its directory.
    with tifffile.TiffFile(path) as file:
        offsets = [page.offset for page in (file.pages.first, *file.pages.first.pages)]
    for offset, expected in zip(offsets, levels, strict=True):
        copy = tmp_path / "copy.tif"
        run("tiffcp", "-c", "none", "-s", "-o", str(offset), str(path), str(copy))
        np.testing.assert_array_equal(tifffile.imread(copy, key=0), expected)
    found = re.search(r"Resolution: ([\d.]+), .* pixels/cm", said.stdout)
    assert 1e4 / float(found[1]) == pytest.approx(MPP, rel=1e-4)
