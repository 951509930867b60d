"""What Bio-Formats, and so QuPath, reads of every image that is called OME-TIFF."""

import numpy as np
import openslide
import pytest
import tifffile
from bioformats import ask_bioformats
from hypothesis import given
from hypothesis import strategies as st

from lds_path.classes import LabelClass
from lds_path.formats.grey_image import write_grey
from lds_path.formats.labels.label_images import Labels, label_blocks, write_labels
from lds_path.formats.ome_xml import escape_name, unescape_name, write_ome_xml
from lds_path.geometry import Size

NAMES = {
    "plain": "Tumor",
    "letters": "Drüsenkörper µm, ß",
    "greek": "β-Zellen 'λ'",
    "chinese": "肿瘤",
    "markup": '<b> & "quoted" &#181; &amp;',
    "emoji": "🙂 nice",
    "control": "a\tb\nc\x07d",
    "backslash": r"C:\Users \U0001f642",
}
CLASSES = [
    LabelClass(value, name, (value, 2 * value, 255 - value))
    for value, name in enumerate(NAMES.values(), start=1)
]
SIZE, MPP = Size(2075, 1301), 0.4990123
HUGE = Size(50_000, 47_000)
HIDDEN = {"macro mask image"} | {
    f"{kind}{ending}"
    for kind in ("overview", "label", "thumbnail", "macro")
    for ending in ("", " image")
}
"""Names that QuPath takes for those of associated images."""
MEANING = "255 is 1 & <more> µ"


def save(path, pixels):
    size = Size(pixels.shape[1], pixels.shape[0])
    blocks = (
        pixels[one.top :, one.left :][: one.size.height, : one.size.width]
        for one in label_blocks(size)
    )
    write_labels(path, blocks, size, mpp=MPP, classes=CLASSES)
    return path


def save_huge(path):
    """Write a BigTIFF whose tiles lie beyond 4 GiB of a file that is mostly a hole."""
    corner = Size(HUGE.width % 1024, HUGE.height % 1024)
    last = np.full((corner.height, corner.width), 3, np.uint8)
    blocks = label_blocks(HUGE)
    blank = np.zeros((1024, 1024), np.uint8)
    shown = (blank[: one.size.height, : one.size.width] for one in blocks[:-1])
    write_labels(path, [*shown, last], HUGE, mpp=MPP, classes=CLASSES)
    shift = 5 << 30
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(shift)
        file.write(content)
    with tifffile.TiffFile(path, mode="r+") as file:
        page = file.pages.first
        for level in [page, *page.pages]:
            level.tags["TileOffsets"].overwrite([offset + shift for offset in level.dataoffsets])
    return path


def random_labels(height, width):
    coarse = np.random.default_rng(3).integers(0, 9, (height // 9 + 1, width // 13 + 1), np.uint8)
    return coarse.repeat(9, 0).repeat(13, 1)[:height, :width]


def sizes_of(path):
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        return [[level.imagewidth, level.imagelength] for level in [page, *(page.pages or ())]]


def whole(levels):
    return [(level, 0, 0, *pixels.shape[::-1]) for level, pixels in enumerate(levels)]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Name -> file, and its levels where all of them are compared."""
    folder = tmp_path_factory.mktemp("images")
    grey = np.random.default_rng(5).integers(0, 256, (700, 1111)).astype(np.uint8)
    paths = {
        "labels": save(folder / "a.labels.ome.tif", random_labels(SIZE.height, SIZE.width)),
        "tile": save(folder / "b.labels.ome.tif", random_labels(200, 512)),
        "pixel": save(folder / "c.labels.ome.tif", np.ones((1, 1), np.uint8)),
    }
    for channel in ("confidence", "density"):
        paths[channel] = folder / f"a.{channel}.ome.tif"
        write_grey(paths[channel], grey, mpp=8.0, channel=channel, meaning=MEANING)
    found = {}
    for name, path in paths.items():
        with tifffile.TiffFile(path) as file:
            found[name] = path, [level.asarray() for level in file.series[0].levels]
    return found | {"huge": (save_huge(folder / "huge.labels.ome.tif"), [])}


@pytest.fixture(scope="module")
def read(files, tmp_path_factory):
    """Name -> what Bio-Formats says."""
    folder = tmp_path_factory.mktemp("bioformats")
    corner = (HUGE.width - 1000, HUGE.height - 1000, 1000, 1000)
    asked = {path: whole(levels) for path, levels in files.values()}
    asked[files["huge"][0]] = [(0, *corner), (7, 0, 0, 391, 368)]
    return dict(zip(files, ask_bioformats(folder, asked), strict=True))


def test_all_are_ome_tiff_with_the_resolutions_that_were_written(files, read):
    for name, (path, _) in files.items():
        assert read[name]["format"] == "OME-TIFF", name
        (image,) = read[name]["images"]
        assert image["sizes"] == sizes_of(path), name
        assert image["pixels"] == "uint8"
        assert not image["rgb"]


def test_every_pixel_of_every_level_is_the_same(files, read):
    for name, (_, levels) in files.items():
        for found, expected in zip(read[name]["windows"], levels, strict=bool(levels)):
            np.testing.assert_array_equal(found, expected, err_msg=name)


def test_tiles_beyond_4_gib_are_read(files, read):
    assert files["huge"][0].stat().st_size > 5 << 30
    corner, coarse = read["huge"]["windows"]
    expected = np.zeros((1000, 1000), np.uint8)
    expected[-(HUGE.height % 1024) :, -(HUGE.width % 1024) :] = 3
    np.testing.assert_array_equal(corner, expected)
    with Labels(files["huge"][0]) as labels:
        np.testing.assert_array_equal(labels.read(7, 0, 0, Size(391, 368)), coarse)
        assert np.any(coarse == 3)


def test_the_pixel_size_is_in_micrometers(read):
    for name, said in read.items():
        mpp = MPP if name not in ("confidence", "density") else 8.0
        assert said["images"][0]["mpp"] == [mpp, mpp], name
        assert said["images"][0]["unit"] == ["µm", "µm"], name


def test_the_channel_lists_the_classes(read):
    listing = ", ".join(f"{one.value} {escape_name(one.name)}" for one in CLASSES)
    assert read["labels"]["images"][0]["channels"] == [listing]
    assert read["confidence"]["images"][0]["channels"] == ["confidence"]
    assert read["density"]["images"][0]["channels"] == ["density"]


def test_every_class_comes_back_by_name_and_colour(read):
    maps = read["labels"]["maps"]
    names = {
        int(value): unescape_name(name) for value, name in maps["lds-path/class-names"].items()
    }
    assert names == {one.value: one.name for one in CLASSES}
    colors = {int(value): color for value, color in maps["lds-path/class-colors"].items()}
    assert colors == {one.value: "#{:02x}{:02x}{:02x}".format(*one.color) for one in CLASSES}


def test_the_unit_is_the_micro_sign_which_is_not_the_greek_letter(files):
    # Bio-Formats takes a file with `um`, a Greek mu or an escape for a plain TIFF.
    for path, _ in files.values():
        with tifffile.TiffFile(path) as file:
            text = file.pages.first.tags["ImageDescription"].value
        assert 'PhysicalSizeXUnit="\u00b5m"' in text
        assert "&#" not in text


@pytest.mark.parametrize("mpp", [0.0, -0.5, float("inf"), float("nan")])
def test_a_pixel_size_that_no_reader_accepts_is_not_written(mpp):
    with pytest.raises(ValueError, match="expected a positive number"):
        write_ome_xml("a", SIZE, mpp, CLASSES)


def test_names_of_letters_of_any_alphabet_are_not_escaped(read):
    names = read["labels"]["maps"]["lds-path/class-names"].values()
    for kind in ("plain", "letters", "greek", "chinese", "markup"):
        assert NAMES[kind] in names


def test_the_ome_xml_follows_its_schema(read, tmp_path):
    assert all(said["valid"] for said in read.values())
    document, broken = tmp_path / "a.ome.xml", tmp_path / "b.ome.xml"
    document.write_bytes(write_ome_xml("s1", SIZE, MPP, CLASSES, in_tiff=False))
    broken.write_bytes(document.read_bytes().replace(b"SizeZ", b"Depth"))
    found = ask_bioformats(tmp_path, {document: [], broken: []})
    assert [each["valid"] for each in found] == [True, False]


def test_bioformats_can_write_again_what_it_read(read):
    for name, said in read.items():
        assert said["document"], name


def test_no_image_has_a_name_that_qupath_hides(read):
    for said in read.values():
        name = said["images"][0]["name"].lower()
        assert name not in HIDDEN


def test_the_meaning_of_a_quantity_is_told(read):
    assert read["confidence"]["images"][0]["description"] == MEANING


def test_our_reader_tifffile_and_openslide_read_the_same_names_and_pixel_size(files):
    path, _ = files["labels"]
    with Labels(path) as labels:
        assert labels.classes == CLASSES
        assert labels.mpp == MPP
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    assert pixels["PhysicalSizeXUnit"] == "µm"
    assert pixels["Channel"]["Name"].startswith("1 Tumor, 2 Drüsenkörper µm, ß, 3 β-Zellen 'λ'")
    with openslide.OpenSlide(path) as slide:
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(MPP, rel=1e-6)


@given(st.text())
def test_every_name_survives_its_escape(name):
    escaped = escape_name(name)
    assert unescape_name(escaped) == name
    assert all(" " <= each <= "\ufffd" and each not in "\x7f\ud800" for each in escaped)
