"""Options of plan, segment, stitch and export."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from lds_path.errors import UsageError
from lds_path.inference.budget import MAX_SIDE, UNIFORM, parse_budget
from lds_path.learning.recipe import PRECISIONS
from lds_path.option import Options, option
from lds_path.options.device import device_option
from lds_path.slides.mpp import MAX_AREA_UM2
from lds_path.unwarp.canvas import AUTO, MAX_LABEL_MPP, WORKING

_NUMBER = re.compile(r"[0-9]{1,3}(\.[0-9]+)?")


@dataclass(frozen=True)
class PlanOptions(Options):
    """How many samples a slide may use."""

    budget: str = option(
        UNIFORM,
        "`uniform`, mean samples per side of a region, samples such as 20000/mm2, or seconds of one core such as"
        " 30s or 0.2s/mm2",
        schema={
            "oneOf": [
                {"type": "string", "pattern": r"^(uniform|[0-9]{1,9}(\.[0-9]{1,9})?s?(/mm2)?)$"},
                {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_SIDE},
            ]
        },
    )
    """`uniform`: the lattice of detect for every region. `128`: mean samples per side of a region.
    `20000/mm2`: samples per area of tissue. `30s`, `0.2s/mm2`: seconds of one core, or of the GPU, in `segment`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        parse_budget(self.budget)


@dataclass(frozen=True)
class SegmentOptions(Options):
    """Which regions are segmented, how many at once and where."""

    shard: str = option(
        "1-of-1",
        "part of the slide, k-of-n: every n-th region, starting with the k-th",
        scope="command",
    )
    batch_size: int = option(
        8, "regions at once on a GPU; halved where its memory is short", minimum=1, maximum=1024
    )
    precision: Literal["auto", "float32", "bfloat16"] = option(
        "auto",
        "of the network; auto: bfloat16 on processors that have it, in half the time, float16 on GPUs",
        choices=PRECISIONS,
    )
    flips: bool = option(
        False, "true: the mean of four predictions, of the samples flipped both ways; slower"
    )
    also: tuple[str, ...] = option(
        (), "further models; the probabilities of all are averaged, on the samples of the first"
    )
    """Ids of shipped models or paths of model folders. They know the same classes, at the same
    resolution."""
    device: str = device_option()


@dataclass(frozen=True)
class StitchOptions(Options):
    """What is written besides the label image, and how fine that is."""

    mpp: str = option(
        AUTO,
        "resolution of the label image, um per pixel; auto: a quarter of the distance between the samples, all that"
        " they carry; working: the working resolution",
        schema={
            "oneOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_LABEL_MPP},
                {"type": "string", "pattern": r"^(auto|working|[0-9]{1,2}(\.[0-9]{1,9})?)$"},
                {"type": "null"},
            ]
        },
    )
    """A value finer than the working resolution gives the working resolution: nothing is upsampled."""
    confidence: bool = option(
        False, "true: the confidence also as OME-TIFF, to show uncertainty over the slide in QuPath"
    )
    density: bool = option(False, "true: the sampling density as OME-TIFF, to show in QuPath")
    zarr: Literal["0.5", "0.4"] | None = option(
        None,
        "version of NGFF: the label image also as OME-Zarr; 0.4 is in Zarr 2",
        choices=("0.5", "0.4"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        parse_label_mpp(self.mpp)


def parse_label_mpp(text: str) -> str | float:
    """Return the resolution that a user asks for: `auto`, `working` or microns per pixel.

    Raises
    ------
    UsageError
        If it is something else.
    """
    if text in (AUTO, WORKING):
        return text
    if not _NUMBER.fullmatch(text) or not 0 < float(text) <= MAX_LABEL_MPP:
        raise UsageError(
            f"the mpp '{text[:20]}' of the label image is unknown; expected `{AUTO}`, `{WORKING}`, or"
            f" microns per pixel, more than 0 and at most {MAX_LABEL_MPP:g}"
        )
    return float(text)


@dataclass(frozen=True)
class ExportOptions(Options):
    """What becomes an object for QuPath, and how exact its outline is."""

    tolerance_um: float = option(
        1.0,
        "outlines may deviate this much; 0 keeps every pixel corner",
        minimum=0,
        maximum=1000,
    )
    min_object_um2: float = option(
        50.0, "smaller objects are dropped", minimum=0, maximum=MAX_AREA_UM2
    )
    max_hole_um2: float = option(50.0, "smaller holes are filled", minimum=0, maximum=MAX_AREA_UM2)
    annotation_um2: float = option(
        50_000.0,
        "larger objects become annotations, smaller ones detections",
        minimum=0,
        maximum=MAX_AREA_UM2,
    )
    """QuPath shows many detections, not many annotations."""
    frame: Literal["bounds", "level0"] = option(
        "bounds",
        "bounds: QuPath's frame for OpenSlide; level0: the file's own corner",
        choices=("bounds", "level0"),
    )
    dsa: bool = option(
        False, "true: the objects also as an annotation of the Digital Slide Archive"
    )
    parquet: bool = option(
        False, "true: the objects also as GeoParquet, for geopandas, R or DuckDB; needs pyarrow"
    )
