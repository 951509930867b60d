"""Odd reference labels, after public bug reports: each means its classes, or is refused by name."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from lds_path.errors import LabelsError
from lds_path.geometry import Size
from lds_path.reference.legend import Legend
from lds_path.reference.reference import open_reference

WIDTH, HEIGHT = 200, 160
SLIDE = Size(WIDTH, HEIGHT)
CLASSES = ("Stroma", "Gland", "Tumor", "Lymphocytes")
COLOURS = [255, 255, 255, 86, 180, 233, 0, 158, 115, 213, 94, 0, 240, 228, 66]


def image(*boxes):
    """Values in boxes: value, left, top, right, bottom."""
    found = np.zeros((HEIGHT, WIDTH), np.uint8)
    for value, left, top, right, bottom in boxes:
        found[top:bottom, left:right] = value
    return found


def ring(left, top, right, bottom):
    return [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]


def polygon(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


def feature(geometry, classification="Tumor", **more):
    properties = {"objectType": "annotation", "classification": classification} | more
    return {"type": "Feature", "geometry": geometry, "properties": properties}


BOX = polygon(ring(20, 20, 60, 60))
TUMOR = image((3, 20, 20, 60, 60))
MEANT = image((1, 20, 20, 40, 40), (3, 60, 20, 80, 40), (4, 100, 20, 120, 40))
PAGES = np.stack([image((1, 20 * n, 20, 20 * n + 18, 60)) for n in range(1, 5)])


def read(path, **legend):
    reference = open_reference(
        path, legend=Legend(CLASSES, **legend), slide=SLIDE, bounds_l0=SLIDE, downsample=1.0
    )
    return reference.read(0, 0, SLIDE)


# --- GeoJSON ---------------------------------------------------------------------------------

COLLECTION = {
    "type": "GeometryCollection",
    "geometries": [BOX, {"type": "LineString", "coordinates": [[60, 60], [80, 80]]}],
}
FEATURES = {
    "a collection": ([feature(COLLECTION)], TUMOR),
    "a ring of three positions": ([feature(polygon([[2, 2], [4, 2], [2, 2]])), feature(BOX)], TUMOR),
    "a hole of three positions": (
        [feature(polygon(ring(20, 20, 60, 60), [[30, 30], [31, 30], [30, 30]]))], TUMOR,
    ),
    "empty polygons": ([feature(polygon()), feature(polygon([])), feature(BOX)], TUMOR),
    "an open ring": ([feature(polygon(ring(20, 20, 60, 60)[:-1]))], TUMOR),
    "a hole": (
        [feature(polygon(ring(20, 20, 60, 60), ring(30, 30, 50, 50)))],
        image((3, 20, 20, 60, 60), (0, 30, 30, 50, 50)),
    ),
    "names and colours of all kinds": (
        [
            feature(BOX, {"names": ["Tumor"], "color": [1, 2, 3]}, isLocked=True),
            feature(polygon(ring(80, 20, 120, 60)), {"name": "Gland", "colorRGB": -3670016}),
        ],
        image((3, 20, 20, 60, 60), (2, 80, 20, 120, 60)),
    ),
    "a ring of one position": ([feature(polygon([[2, 2]])), feature(BOX)], TUMOR),
    "a box beside it": ([feature(BOX) | {"bbox": [20, 20, 60, 60]}], TUMOR),
    "a hole outside": ([feature(polygon(ring(20, 20, 60, 60), ring(100, 100, 120, 120)))], TUMOR),
    "a hole across the outline": (
        [feature(polygon(ring(20, 20, 60, 60), ring(50, 20, 80, 60)))],
        image((3, 20, 20, 50, 60)),
    ),
    "holes that overlap": (
        [feature(polygon(ring(20, 20, 60, 60), ring(30, 30, 50, 50), ring(40, 30, 55, 50)))],
        image((3, 20, 20, 60, 60), (0, 30, 30, 55, 50)),
    ),
    "heights": ([feature(polygon([[*place, 0.0] for place in ring(20, 20, 60, 60)]))], TUMOR),
    "partly outside": (
        [feature(polygon(ring(-40, -20, 60, 60))), feature(polygon(ring(180, 140, 300, 180)), "Gland")],
        image((3, 0, 0, 60, 60), (2, 180, 140, 200, 160)),
    ),
}  # fmt: skip


def bow_tie():
    """A ring that crosses itself, and what it covers."""
    corners = [[20, 20], [60, 61], [60, 20], [20, 61], [20, 20]]
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    inside = (x > 20) & (x < 60) & (abs(y - 40.5) * 40 < abs(x - 40) * 41)
    return [feature(polygon(corners))], np.where(inside, np.uint8(3), np.uint8(0))


FEATURES["a bow tie"] = bow_tie()


@pytest.mark.parametrize("name", FEATURES)
def test_odd_geojson_means_its_areas(tmp_path, name):
    features, meant = FEATURES[name]
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    np.testing.assert_array_equal(read(path), meant)


def test_a_parent_without_a_class_is_left_out_if_the_class_map_says_so(tmp_path):
    outer = feature(polygon(ring(10, 10, 120, 120)), None, childObjects=[feature(BOX)])
    (tmp_path / "a.geojson").write_text(json.dumps([outer]))
    np.testing.assert_array_equal(read(tmp_path / "a.geojson", class_map={"": ""}), TUMOR)


def test_a_list_of_features_as_tissuumaps_writes_it_is_read(tmp_path):
    several = {"type": "MultiPolygon", "coordinates": [BOX["coordinates"]]}
    (tmp_path / "a.json").write_text(json.dumps([feature(several, {"name": "Tumor"}, name="x")]))
    np.testing.assert_array_equal(read(tmp_path / "a.json"), TUMOR)


@pytest.mark.parametrize("number", [1e308, -1e12, float("nan")])
def test_a_coordinate_that_no_slide_has_is_named(tmp_path, number):
    """Geometry with such numbers comes out empty, without an error."""
    ring_of_it = [[20, 20], [number, 20], [number, 60], [20, 60], [20, 20]]
    (tmp_path / "a.geojson").write_text(json.dumps([feature(BOX), feature(polygon(ring_of_it))]))
    with pytest.raises(LabelsError, match=r"object 2 .*a coordinate is not a number of pixels"):
        read(tmp_path / "a.geojson")


def test_a_polygon_that_has_the_rings_of_several_is_refused(tmp_path):
    several = {"type": "Polygon", "coordinates": [[ring(20, 20, 60, 60)], [ring(80, 80, 99, 99)]]}
    (tmp_path / "a.geojson").write_text(json.dumps(feature(several)))
    with pytest.raises(LabelsError, match="object 1 is not a GeoJSON feature"):
        read(tmp_path / "a.geojson")


# --- images ----------------------------------------------------------------------------------


def tiled(path, pixels, **options):
    settings = {"tile": (64, 64), "compression": "deflate", "metadata": None}
    tifffile.imwrite(path, pixels, **settings | {"photometric": "minisblack"} | options)


def palette_png(path, **options):
    picture = Image.fromarray(MEANT, "P")
    picture.putpalette(COLOURS)
    picture.save(path, **options)


def palette_tiff(path):
    colours = np.zeros((3, 256), np.uint16)
    colours[:, :5] = np.array(COLOURS, np.uint16).reshape(5, 3).T * 257
    tiled(path, MEANT, photometric="palette", colormap=colours)


def pyramid(path, order=(0, 1, 2, 3, 4, 5, 6), *, marked=True):
    with tifffile.TiffWriter(path) as writer:
        for level in order:
            flag = int(marked and level > 0)
            options = {"tile": (64, 64), "photometric": "minisblack", "subfiletype": flag}
            writer.write(MEANT[:: 2**level, :: 2**level], metadata=None, **options)


def turned_png(path):
    exif = Image.Exif()
    exif[274] = 3
    Image.fromarray(MEANT).save(path, exif=exif)


READ = {
    "a.png": palette_png,
    "four-bits.png": lambda path: palette_png(path, bits=4),
    "turned.png": turned_png,
    "a.tif": palette_tiff,
    "pyramid.tif": pyramid,
    "unmarked-pyramid.tif": lambda path: pyramid(path, marked=False),
    "smallest-first.tif": lambda path: pyramid(path, order=(2, 1, 0)),
    "smallest-first-unmarked.tif": lambda path: pyramid(path, (2, 1, 0), marked=False),
}


@pytest.mark.parametrize("name", READ)
def test_an_odd_label_image_means_its_values(tmp_path, name):
    READ[name](tmp_path / name)
    np.testing.assert_array_equal(read(tmp_path / name), MEANT)


def pages(path, **options):
    with tifffile.TiffWriter(path) as writer:
        for page in PAGES:
            writer.write(page, photometric="minisblack", metadata=None, **options)


def macro_first(path):
    with tifffile.TiffWriter(path) as writer:
        writer.write(np.zeros((60, 50), np.uint8), photometric="minisblack", metadata=None)
        writer.write(MEANT, photometric="minisblack", metadata=None)


def channels(path, axes="CYX"):
    tifffile.imwrite(path, PAGES, photometric="minisblack", ome=True, metadata={"axes": axes})


def pictures(path):
    first, *rest = map(Image.fromarray, PAGES)
    first.save(path, save_all=True, append_images=rest)


def marked_pages(path):
    """A page per class, of which all but the first are marked as levels."""
    with tifffile.TiffWriter(path) as writer:
        for number, page in enumerate(PAGES):
            options = {"photometric": "minisblack", "subfiletype": int(number > 0)}
            writer.write(page, metadata=None, **options)


def pages_below(path):
    with tifffile.TiffWriter(path) as writer:
        writer.write(PAGES[0], photometric="minisblack", metadata=None, subifds=1)
        writer.write(PAGES[1], photometric="minisblack", metadata=None)


def finest_below(path):
    with tifffile.TiffWriter(path) as writer:
        writer.write(MEANT[::2, ::2], photometric="minisblack", metadata=None, subifds=1)
        writer.write(MEANT, photometric="minisblack", metadata=None)


def one_page_for_all(path):
    """ImageJ writes a stack with a single directory."""
    tifffile.imwrite(path, PAGES, imagej=True, truncate=True, metadata={"axes": "ZYX"})


def one_of_several_files(path):
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<BinaryOnly MetadataFile="a.companion.ome" UUID="urn:uuid:1"/></OME>'
    )
    tifffile.imwrite(path, MEANT, description=xml.encode(), metadata=None)


def numbered_anew(path):
    """A palette of greys, as programs make of few greys to save space."""
    greys = np.unique(MEANT)
    picture = Image.fromarray(np.searchsorted(greys, MEANT).astype(np.uint8), "P")
    picture.putpalette(np.repeat(greys, 3).tolist())
    picture.save(path)


def photograph(path):
    Image.fromarray(MEANT).save(path, quality=100)


REFUSED = {
    "marked-pages.tif": (marked_pages, "holds 4 images"),
    "pages-below.tif": (pages_below, "holds 2 images"),
    "finest-below.tif": (finest_below, r"holds 2 images \(100 x 80, 200 x 160\)"),
    "one-page-for-all.tif": (one_page_for_all, "holds 4 images"),
    "one-of-several.ome.tif": (one_of_several_files, "one of several files"),
    "numbered-anew.png": (numbered_anew, "the values 0, 1, 2, 3 are the greys 0, 1, 3, 4"),
    "photograph.jpg": (photograph, r"as a photograph \(JPEG\)"),
    "photograph.jp2": (lambda path: Image.fromarray(MEANT).save(path), "photograph"),
    "pages.tif": (pages, "holds 4 images"),
    "tiled-pages.tif": (lambda path: pages(path, tile=(64, 64)), "holds 4 images"),
    "channels.ome.tif": (channels, "holds 4 images"),
    "planes.ome.tif": (lambda path: channels(path, "ZYX"), "holds 4 images"),
    "separate.tif": (
        lambda path: tiled(path, PAGES[:3], photometric="rgb", planarconfig="separate"),
        "one 8-bit channel",
    ),
    "macro.tif": (macro_first, r"holds 2 images \(200 x 160, 50 x 60\)"),
    "pictures.gif": (pictures, "holds 4 pictures"),
    "sixteen.png": (lambda path: Image.fromarray(MEANT.astype(np.uint16)).save(path), "8-bit"),
    "a.xml": (lambda path: path.write_text("<ASAP_Annotations/>"), "cannot be read"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_label_image_of_several_channels_or_of_another_kind_is_refused(tmp_path, name):
    write, message = REFUSED[name]
    write(tmp_path / name)
    with pytest.raises(LabelsError, match=message):
        read(tmp_path / name)


def test_labels_that_differ_from_their_checksum_are_damaged(tmp_path):
    path = tmp_path / "labels.png"
    Image.fromarray(TUMOR).save(path, compress_level=0)
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 9_000] ^= 2
    path.write_bytes(content)
    with pytest.raises(LabelsError, match=r"labels.png cannot be read .*checksum"):
        read(path)


@pytest.mark.parametrize("tag", ["ImageWidth", "BitsPerSample"])
def test_a_label_image_whose_tags_hold_nothing_is_refused(tmp_path, tag):
    path = tmp_path / "labels.tif"
    tifffile.imwrite(path, TUMOR, metadata=None)
    with tifffile.TiffFile(path) as file:
        place = file.pages.first.tags[tag].offset
    content = bytearray(path.read_bytes())
    if tag == "ImageWidth":
        content[place + 8 : place + 12] = bytes(4)  # its value
    else:
        content[place + 4 : place + 8] = bytes(4)  # the number of values
    path.write_bytes(content)
    with pytest.raises(LabelsError, match=r"labels\.tif"):
        read(path)
