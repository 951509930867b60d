"""OME-XML of label images: pixel size, class names and class colours.

It is written as UTF-8 without numeric character references: before parsing, Bio-Formats (with
which QuPath opens OME-TIFF) replaces the `&` of `&#181;` by a blank. Characters that only such a
reference could express, or that Bio-Formats cannot write again (beyond U+FFFF), are escaped.
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from lds_path import __version__
from lds_path.classes import LabelClass
from lds_path.slides.safe_xml import parse_xml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lds_path.geometry import Size

_SCHEMA = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
_NAMES = "lds-path/class-names"
_COLORS = "lds-path/class-colors"
_MICROMETER = "\N{MICRO SIGN}m"
_UNSAFE = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd]|\\(?=U00(0[0-9a-f]|10)[0-9a-f]{4})")
_ESCAPED = re.compile(r"\\U(00(?:0[0-9a-f]|10)[0-9a-f]{4})")


def write_ome_xml(
    name: str, size: Size, mpp: float, classes: Sequence[LabelClass], *, in_tiff: bool = True
) -> bytes:
    """Return the OME-XML of a label image.

    The classes are in the channel's name, for people, and in two map annotations, value to
    name and value to #rrggbb; names are escaped, see `escape_name`.

    Parameters
    ----------
    name
        Of the slide.
    size
        Of level 0.
    mpp
        Microns per pixel of level 0.
    classes
        What the values mean.
    in_tiff
        Whether the pixels are in the TIFF file that holds the text, or in a store beside it.

    Raises
    ------
    ValueError
        If the microns per pixel are not a positive number, which no reader accepts.
    """
    listing = ", ".join(f"{item.value} {item.name}" for item in classes)
    root, image = _begin(f"{name} labels", size, mpp, listing, in_tiff=in_tiff)
    ET.SubElement(image, "AnnotationRef", ID="Annotation:0")
    ET.SubElement(image, "AnnotationRef", ID="Annotation:1")
    annotations = ET.SubElement(root, "StructuredAnnotations")
    _add_map(annotations, 0, _NAMES, {item.value: item.name for item in classes})
    colors = {item.value: "#{:02x}{:02x}{:02x}".format(*item.color) for item in classes}
    _add_map(annotations, 1, _COLORS, colors)
    return _text(root)


def write_grey_ome_xml(name: str, size: Size, mpp: float, channel: str, meaning: str) -> bytes:
    """Return the OME-XML of an image of one quantity."""
    root, image = _begin(f"{name} {channel}", size, mpp, channel)
    description = ET.Element("Description")
    description.text = escape_name(meaning)
    image.insert(0, description)  # before Pixels, as the schema has it
    return _text(root)


def parse_ome_xml(text: str) -> tuple[float, list[LabelClass]]:
    """Return the microns per pixel and the classes that `write_ome_xml` wrote.

    Raises
    ------
    ValueError
        If the text is not such OME-XML.
    """
    root = parse_xml(text)
    pixels = root.find(f"{{{_SCHEMA}}}Image/{{{_SCHEMA}}}Pixels")
    if pixels is None or "PhysicalSizeX" not in pixels.attrib:
        raise ValueError("no PhysicalSizeX")
    names, colors = _read_map(root, _NAMES), _read_map(root, _COLORS)
    classes = [
        LabelClass(value, unescape_name(name), _rgb(colors[value])) for value, name in names.items()
    ]
    return float(pixels.attrib["PhysicalSizeX"]), classes


def escape_name(name: str) -> str:
    """Return a name in a form that every reader of OME-XML returns unchanged.

    Control characters and those beyond U+FFFF, such as emoji, become a backslash, `U` and eight
    hexadecimal digits; so does a backslash that would begin such an escape.
    """
    return _UNSAFE.sub(lambda match: f"\\U{ord(match[0]):08x}", name)


def unescape_name(text: str) -> str:
    """Return the name that `escape_name` escaped."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def _begin(
    title: str, size: Size, mpp: float, channel: str, *, in_tiff: bool = True
) -> tuple[ET.Element, ET.Element]:
    """Return the document of an image of one uint8 channel, and the image in it."""
    if not 0 < mpp < math.inf:
        raise ValueError(f"{title} has {mpp} um per pixel, expected a positive number")
    root = ET.Element("OME", {"xmlns": _SCHEMA, "Creator": f"lds-path {__version__}"})
    image = ET.SubElement(root, "Image", ID="Image:0", Name=escape_name(title))
    length = repr(float(mpp))
    pixels = ET.SubElement(
        image, "Pixels", ID="Pixels:0", DimensionOrder="XYCZT", Type="uint8", SignificantBits="8",
        Interleaved="false", BigEndian="false", SizeX=str(size.width), SizeY=str(size.height),
        SizeC="1", SizeZ="1", SizeT="1", PhysicalSizeX=length, PhysicalSizeXUnit=_MICROMETER,
        PhysicalSizeY=length, PhysicalSizeYUnit=_MICROMETER,
    )  # fmt: skip
    name = escape_name(channel)
    ET.SubElement(pixels, "Channel", ID="Channel:0:0", SamplesPerPixel="1", Name=name)
    if in_tiff:
        ET.SubElement(pixels, "TiffData", IFD="0", PlaneCount="1")
    else:
        ET.SubElement(pixels, "MetadataOnly")
    return root, image


def _text(root: ET.Element) -> bytes:
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()


def _add_map(parent: ET.Element, index: int, space: str, pairs: Mapping[int, str]) -> None:
    annotation = ET.SubElement(parent, "MapAnnotation", ID=f"Annotation:{index}", Namespace=space)
    value = ET.SubElement(annotation, "Value")
    for key, text in pairs.items():
        ET.SubElement(value, "M", K=str(key)).text = escape_name(text)


def _read_map(root: ET.Element, space: str) -> dict[int, str]:
    annotation = root.find(f".//{{{_SCHEMA}}}MapAnnotation[@Namespace='{space}']")
    if annotation is None:
        raise ValueError(f"no annotation {space}")
    return {int(pair.attrib["K"]): pair.text or "" for pair in annotation.iter(f"{{{_SCHEMA}}}M")}


def _rgb(color: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return red, green, blue
