"""What lies beside a slide in the report: the slides before and after it, and any other to compare."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lds_path.formats.results import TileResults
from lds_path.reporting.pages import environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lds_path.provenance.cohort import SlideRecord
    from lds_path.reporting.zoom.viewer import Zoom


@dataclass(frozen=True)
class Neighbour:
    """A link to another slide."""

    slide: str
    page: str
    """From the page of this one."""


@dataclass(frozen=True)
class Around:
    """The links of a slide's page to other slides."""

    before: Neighbour | None
    after: Neighbour | None
    compares: bool
    """Whether the slide can be shown beside another."""


@dataclass(frozen=True)
class Compared:
    """A slide to choose on the page with two."""

    slide: str
    page: str
    zoom: str
    """What the viewer is given, as JSON; empty if there is nothing to zoom into."""


def surround(records: Sequence[SlideRecord], pages: Sequence[str]) -> Iterator[Around]:
    """Yield the links of each slide; `pages` are those of the slides, from one another."""
    links = [Neighbour(record.slide, page) for record, page in zip(records, pages, strict=True)]
    known = has_comparison(records)
    for record, before, after in zip(records, [None, *links], [*links[1:], None], strict=False):
        yield Around(before, after, known and record.read(TileResults) is not None)


def has_comparison(records: Sequence[SlideRecord]) -> bool:
    """Return whether there are two slides to show side by side."""
    return sum(record.read(TileResults) is not None for record in records) > 1


def render_comparison(
    records: Sequence[SlideRecord], pages: Mapping[str, str], zooms: Mapping[str, Zoom | None]
) -> str:
    """Return the page with two slides side by side.

    Parameters
    ----------
    records
        Slides in the order of the choice.
    pages
        Slide -> its page, from this one.
    zooms
        Slide -> what its own page can zoom into.
    """
    compared = [
        Compared(record.slide, pages[record.slide], _as_text(zooms[record.slide]))
        for record in records
        if record.read(TileResults) is not None
    ]
    return environment().get_template("compare.html.j2").render(compared=compared)


def _as_text(zoom: Zoom | None) -> str:
    """Return the layers with paths from the page that lies beside the folder of the slides' pages."""
    if zoom is None:
        return ""
    layers = tuple(replace(layer, path=f"slides/{layer.path}") for layer in zoom.layers)
    return json.dumps(replace(zoom, layers=layers).to_json(), ensure_ascii=False)
