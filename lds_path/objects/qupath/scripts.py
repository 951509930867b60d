"""The scripts that QuPath runs, made from templates and the data of the slides."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lds_path.formats.labels.label_images import name_labels
from lds_path.formats.results import StitchResults, TileResults
from lds_path.objects.geojson import write_classes
from lds_path.objects.qupath.stain import image_type
from lds_path.objects.tally import ExportParameters
from lds_path.provenance.fingerprint import STATEMENT, identify
from lds_path.remote.address import is_address, to_slide_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lds_path.classes import LabelClass
    from lds_path.geometry import Size
    from lds_path.provenance.cohort import SlideRecord

TEMPLATES = resources.files("lds_path.objects.qupath") / "templates"
SLIDE_SCRIPTS = ("show_overlay.groovy", "import_objects.groovy", "show_map.groovy")
"""Scripts that work on the open slide, which is looked up among the slides of the script."""
PROJECT_SCRIPT = "make_project.groovy"
CLASSES_NAME = "classes.json"
PARTS = re.compile(r"@PARTS ([a-z_ ]+)@\n")
"""In a template: files of its folder `parts`, whose functions it uses."""


@dataclass(frozen=True)
class ValueMap:
    """An image of a quantity, as the scripts need it."""

    name: str
    """confidence or density."""
    downsample: float
    """Level-0 pixels per pixel."""
    low: int
    """Value that has the first colour."""
    high: int
    """Value that has the last colour."""
    meaning: str
    """Of the values, in words."""

    def describe(self, slide: str) -> dict[str, Any]:
        """Return the content for the scripts."""
        return vars(self) | {"file": f"{slide}.{self.name}.ome.tif"}


def maps_of(stitch: StitchResults) -> list[ValueMap]:
    """Return the images of quantities that stitch wrote."""
    downsample = stitch.downsample * stitch.confidence_downsample
    return [
        ValueMap(name, downsample, *values.range, values.meaning)
        for name, values in stitch.maps.items()
    ]


@dataclass(frozen=True)
class ScriptSlide:
    """A slide, as the scripts need it."""

    slide: str
    size: Size
    """Of the label image."""
    downsample: float
    """Level-0 pixels per label pixel."""
    frame: str
    """Of the objects: bounds or level0."""
    classes: Sequence[LabelClass]
    corner: tuple[float, float] = (0.0, 0.0)
    """Where the label image begins on the slide, level-0 pixels."""
    maps: Sequence[ValueMap] = ()
    """Other images of it."""
    path: str = ""
    """Absolute path of the slide's file, or its address; empty if unknown."""
    mpp: float | None = None
    """Microns per level-0 pixel if the sheet states them; those of the file when None."""
    stain: str = ""
    """As the sheet states it."""
    series: int | None = None
    """Number of the image in the file, if the sheet names one of several."""
    stated_bytes: int | None = None
    """Size of a slide on a server, when it was read."""

    @property
    def file_bytes(self) -> int | None:
        """Size of the slide's file; None if it is a folder, or not there."""
        if is_address(self.path):
            return self.stated_bytes
        path = Path(self.path)
        identity = identify(path) if self.path and not path.is_dir() else None
        return identity[0] if identity else None

    @property
    def _file_name(self) -> str:
        if is_address(self.path):
            return to_slide_path(self.path).name
        return self.path.replace("\\", "/").rpartition("/")[2]

    @property
    def arguments(self) -> list[str]:
        """What Bio-Formats needs to open the image in a file of several."""
        return [] if self.series is None else ["--series", str(self.series)]

    def describe(self) -> dict[str, Any]:
        """Return the content for the scripts."""
        return {
            "slide": self.slide,
            "file": self._file_name,
            "path": self.path,
            "arguments": self.arguments,
            "bytes": self.file_bytes,
            "image_type": image_type(self.stain),
            "mpp": self.mpp,
            "labels": name_labels(self.slide),
            "objects": f"{self.slide}.geojson.gz",
            "frame": self.frame,
            "downsample": self.downsample,
            "width_l0": round(self.size.width * self.downsample),
            "height_l0": round(self.size.height * self.downsample),
            "left_l0": self.corner[0],
            "top_l0": self.corner[1],
            "maps": [value_map.describe(self.slide) for value_map in self.maps],
            "classes": [item.to_json() for item in self.classes],
        }


def write_scripts(folder: Path, slides: Sequence[ScriptSlide]) -> None:
    """Write the scripts that show the label image and add the objects of the open slide."""
    content = {"slides": [slide.describe() for slide in slides]}
    for name in SLIDE_SCRIPTS:
        _write(folder / name, content)


def write_cohort_scripts(folder: Path, slides: Sequence[ScriptSlide]) -> None:
    """Write the scripts for slides that have objects, and all their classes.

    The folder lies two levels below the folder of all results, where the scripts find the files.
    """
    classes = {item.name: item for slide in slides for item in slide.classes}
    folder.mkdir(parents=True, exist_ok=True)
    write_classes(folder / CLASSES_NAME, {item.name: item.color for item in classes.values()})
    write_scripts(folder, slides)
    _write(
        folder / PROJECT_SCRIPT,
        {
            "slides": [slide.describe() for slide in slides],
            "classes": [item.to_json() for item in classes.values()],
        },
    )


def list_script_slides(
    records: Sequence[SlideRecord], stains: Mapping[str, str]
) -> list[ScriptSlide]:
    """Return the slides that have objects, with their stains by id."""
    found = (_script_slide(record, stains.get(record.slide, "")) for record in records)
    return [slide for slide in found if slide is not None]


def _script_slide(record: SlideRecord, stain: str) -> ScriptSlide | None:
    """Return a slide as the scripts need it, None if it has no objects."""
    tile, stitch = record.read(TileResults), record.read(StitchResults)
    export = record.read(ExportParameters)
    if tile is None or stitch is None or export is None:
        return None
    described = record.stages["tile"].manifests[0].inputs.get("slide", {})
    path = str(described.get("path", ""))
    if tile.scene and not tile.format.startswith("OME-"):
        path = ""  # Bio-Formats counts the pages of other files in ways of its own
    return ScriptSlide(
        record.slide,
        stitch.size,
        stitch.downsample,
        export.frame,
        stitch.classes,
        (stitch.left_l0, stitch.top_l0),
        maps_of(stitch),
        path if is_address(path) or not path else str(Path(path).resolve()),
        tile.slide_mpp if tile.mpp_source == "sheet" else None,
        stain,
        tile.image_number if tile.scene else None,
        described.get(STATEMENT, {}).get("bytes"),
    )


def _write(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False)
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")  # between ''' of Groovy
    template = (TEMPLATES / path.name).read_text(encoding="utf-8")
    whole = PARTS.sub(lambda found: "".join(map(_read_part, found[1].split())), template)
    path.write_text(whole.replace("@CONTENT@", quoted), encoding="utf-8", newline="\n")


def _read_part(name: str) -> str:
    return (TEMPLATES / "parts" / f"{name}.groovy").read_text(encoding="utf-8")
