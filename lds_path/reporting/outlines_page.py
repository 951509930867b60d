"""The page that shows what was taken for tissue on every slide, at a glance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lds_path.formats.results import DetectResults
from lds_path.reporting.pages import environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lds_path.provenance.cohort import SlideRecord
    from lds_path.reporting.pages import Files

METHODS = {
    "classic": "rules on colours",
    "network": "network",
    "whole": "not looked for, all of it",
}
"""What found the tissue, by the option of detect."""


@dataclass(frozen=True)
class Outlined:
    """A slide with what was taken for its tissue."""

    record: SlideRecord
    page: str
    """From this page."""
    picture: str
    """The outline, or the plain slide where there is none; empty without a picture."""
    tissue_mm2: float | None
    pieces: int
    method: str
    """What found it, in words; empty if the tissue was not looked for."""


def render_outlines(records: Sequence[SlideRecord], files: Mapping[str, Files]) -> str:
    """Return the page, slides without tissue first, then by their area."""
    outlined = [_outline(record, files[record.slide]) for record in records]
    outlined.sort(key=lambda item: item.tissue_mm2 or 0.0)
    return environment().get_template("outlines.html.j2").render(outlined=outlined)


def _outline(record: SlideRecord, files: Files) -> Outlined:
    found, folder = record.read(DetectResults), files.page.rpartition("/")[0]
    picture = files.pictures.get("tissue") or files.pictures.get("thumbnail", "")
    return Outlined(
        record,
        files.page,
        f"{folder}/{picture}" if picture else "",
        None if found is None else found.tissue_mm2,
        0 if found is None else found.pieces,
        _method_of(record),
    )


def _method_of(record: SlideRecord) -> str:
    manifest = next(iter(record.stages["detect"].manifests), None)
    if manifest is None or manifest.quarantined_by == "tile":
        return ""
    if "tissue" in manifest.inputs:
        return "your outline"
    return METHODS.get(str(manifest.parameters.get("method")), "")
