"""What OME-XML says about an image: microns per pixel, and which colours its channels are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lds_path.errors import UnsuitableSlideError
from lds_path.slides.safe_xml import parse_xml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

    from lds_path.geometry import Size
    from lds_path.remote.address import SlidePath

MICRONS = {"nm": 1e-3, "µm": 1.0, "μm": 1.0, "um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}
"""Per unit; the micro sign and the Greek letter look alike."""
PRIMARIES = (0xFF000000, 0x00FF0000, 0x0000FF00)
"""Red, green and blue as OME-XML packs them (RGBA); alpha is left out."""
COLOURS = (("red", "r"), ("green", "g"), ("blue", "b"))
"""Names of the channels that are colours, in their order."""


def ome_mpp(xml: str | None, size: Size, number: int = 0) -> tuple[float, float] | None:
    """Return (x, y) microns per pixel of an image in an OME-XML text, by its size and number."""
    try:
        attributes = _pixels(xml, size, number).attrib
        x = float(attributes["PhysicalSizeX"])
        y = float(attributes.get("PhysicalSizeY", x))
        return (
            x * MICRONS[attributes.get("PhysicalSizeXUnit", "µm")],
            y * MICRONS[attributes.get("PhysicalSizeYUnit", "µm")],
        )
    except (LookupError, ValueError):
        return None


def names_other_file(xml: str | None) -> bool:
    """Return whether an OME-XML text only says which other file describes this one."""
    try:
        return any(e.tag.endswith("}BinaryOnly") for e in parse_xml(xml or "").iter())
    except ValueError:
        return False


def check_channels(path: SlidePath, xml: str | None, size: Size, number: int = 0) -> None:
    """Refuse three grey channels whose names or colours are not red, green and blue.

    Channels with neither are taken for colours, as converters write them; white is no colour.

    Raises
    ------
    UnsuitableSlideError
        If they are not.
    """
    try:
        pixels = _pixels(xml, size, number)
    except (LookupError, ValueError):
        return
    channels = [e for e in pixels if e.tag.endswith("}Channel")]
    names = [str(e.get("Name", "")).strip() for e in channels]
    shown = [_colour(e) for e in channels]
    check_colours(path, names, shown)


def check_colours(path: SlidePath, names: Sequence[str], shown: Sequence[int | None]) -> None:
    """Refuse channels whose names or colours are not red, green and blue.

    Parameters
    ----------
    path
        The slide, for the message.
    names
        Of the channels; empty where there is none.
    shown
        Packed colours of the channels; None where there is none.

    Raises
    ------
    UnsuitableSlideError
        If they are not.
    """
    if any(names):
        fits = all(name.lower() in known for name, known in zip(names, COLOURS, strict=False))
    else:
        fits = not any(shown) or list(shown) == list(PRIMARIES)
        names = [f"#{(colour or 0) >> 8:06x}" for colour in shown]
    if not fits:
        raise UnsuitableSlideError(
            f"{path} has the channels {', '.join(names)}; expected Red, Green, Blue; convert it to"
            " 8-bit RGB, or leave it out of the sheet"
        )


def _colour(channel: Element) -> int | None:
    """Return the packed colour of a channel without its alpha; None if it is white or not stated."""
    try:
        colour = int(channel.get("Color", "")) & 0xFFFFFF00
    except ValueError:
        return None
    return None if colour == 0xFFFFFF00 else colour


def _pixels(xml: str | None, size: Size, number: int) -> Element:
    """Return the element of the image of a size, or the only one; LookupError if there is none.

    Of several of this size it is the one with the number, if that is one of them.
    """
    elements = [e for e in parse_xml(xml or "").iter() if e.tag.endswith("}Pixels")]
    stated = {"SizeX": str(size.width), "SizeY": str(size.height)}
    fitting = [e for e in elements if stated.items() <= e.attrib.items()]
    if not fitting and len(elements) != 1:
        raise LookupError("no image of this size")
    numbered = [e for e in elements[number : number + 1] if e in fitting]
    return (numbered or fitting or elements)[0]
