"""The scripts that QuPath runs: what they have to know of the slides, put into their templates."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lds_path.classes import LabelClass
from lds_path.geometry import Size
from lds_path.objects.geojson import write_classes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lds_path.provenance.cohort import SlideRecord

SLIDE_SCRIPTS = ("show_overlay.groovy", "import_objects.groovy", "show_map.groovy")
"""Scripts that work on the open slide: one, or whichever of several is open."""
PROJECT_SCRIPT = "make_project.groovy"
CLASSES_NAME = "classes.json"


@dataclass(frozen=True)
class ValueMap:
    """What the scripts know of an image of a quantity."""

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


def maps_of(stitch: Mapping[str, Any]) -> list[ValueMap]:
    """Return the images of quantities that stitch wrote, from its results."""
    downsample = stitch["downsample"] * stitch.get("confidence_downsample", 1)
    return [
        ValueMap(name, downsample, low, high, found["meaning"])
        for name, found in stitch.get("maps", {}).items()
        for low, high in [found["range"]]
    ]


@dataclass(frozen=True)
class ScriptSlide:
    """What the scripts know of a slide."""

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
    """What else was written of it."""
    path: str = ""
    """Absolute path of the slide's file; empty where it is not known."""
    mpp: float | None = None
    """Microns per level-0 pixel where the sheet says it; the file's own when None."""

    def describe(self) -> dict[str, Any]:
        """Return the content for the scripts."""
        return {
            "slide": self.slide,
            "file": self.path.replace("\\", "/").rpartition("/")[2],
            "path": self.path,
            "mpp": self.mpp,
            "labels": f"{self.slide}.labels.ome.tif",
            "objects": f"{self.slide}.geojson.gz",
            "frame": self.frame,
            "downsample": self.downsample,
            "width_l0": round(self.size.width * self.downsample),
            "height_l0": round(self.size.height * self.downsample),
            "left_l0": self.corner[0],
            "top_l0": self.corner[1],
            "maps": [each.describe(self.slide) for each in self.maps],
            "classes": describe_classes(self.classes),
        }


def describe_classes(classes: Sequence[LabelClass]) -> list[dict[str, Any]]:
    """Return classes as the scripts know them."""
    return [{"value": one.value, "name": one.name, "color": list(one.color)} for one in classes]


def write_scripts(folder: Path, slides: Sequence[ScriptSlide]) -> None:
    """Write the scripts that show the label image and add the objects of the open slide."""
    content = {"slides": [slide.describe() for slide in slides]}
    for name in SLIDE_SCRIPTS:
        _write(folder / name, content)


def write_cohort_scripts(folder: Path, records: Sequence[SlideRecord]) -> None:
    """Write the scripts for the slides that have objects, and all their classes.

    The folder lies two below the results of the stages; the scripts find the files from there.
    """
    slides = [_script_slide(record) for record in records if record.stages["export"].results]
    classes = {each.name: each for slide in slides for each in slide.classes}
    folder.mkdir()
    write_classes(folder / CLASSES_NAME, {each.name: each.color for each in classes.values()})
    write_scripts(folder, slides)
    _write(
        folder / PROJECT_SCRIPT,
        {
            "slides": [slide.describe() for slide in slides],
            "classes": describe_classes(list(classes.values())),
        },
    )


def _script_slide(record: SlideRecord) -> ScriptSlide:
    tile, stitch, export = (record.stages[stage] for stage in ("tile", "stitch", "export"))
    found = stitch.results
    path = tile.manifests[0].inputs.get("slide", {}).get("path", "")
    return ScriptSlide(
        record.slide,
        Size(found["width"], found["height"]),
        found["downsample"],
        export.manifests[0].parameters.get("frame", "bounds"),
        [LabelClass(each["value"], each["name"], each["color"]) for each in found["classes"]],
        (found["left_l0"], found["top_l0"]),
        maps_of(found),
        str(Path(path).resolve()) if path else "",
        tile.results["slide_mpp"] if tile.results["mpp_source"] == "sheet" else None,
    )


def _write(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False)
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")  # between ''' of Groovy
    template = resources.files("lds_path.objects") / "templates" / path.name
    script = template.read_text(encoding="utf-8").replace("@CONTENT@", quoted)
    path.write_text(script, encoding="utf-8", newline="\n")
