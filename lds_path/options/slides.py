"""Options of demo, tile, screen and detect."""

from __future__ import annotations

from dataclasses import dataclass

from lds_path.errors import UsageError
from lds_path.option import MAX_SEED, Options, option
from lds_path.slides.mpp import MAX_AREA_UM2, MAX_MPP, MIN_MPP

MIN_SIDE, MAX_SIDE = 512, 32_768
"""Sides of a painted slide, which is painted in memory."""
MAX_FINEST = 4
"""A chunk of working pixels still has 32 pixels along its side there."""
MAX_REGION = 16_384
"""Side of a region, which is read into memory; at the finest level it then takes 800 MB."""


@dataclass(frozen=True)
class DemoOptions(Options):
    """How a slide is painted."""

    seed: int = option(
        1,
        "the same seed and size paint the same slide",
        minimum=0,
        maximum=MAX_SEED,
        scope="command",
    )
    width: int = option(
        6144, "pixels of 0.5 um", minimum=MIN_SIDE, maximum=MAX_SIDE, scope="command"
    )
    height: int = option(
        5120, "pixels of 0.5 um", minimum=MIN_SIDE, maximum=MAX_SIDE, scope="command"
    )
    structured: float = option(
        1.0,
        "fraction of the slide, around its centre, that holds anything but stroma",
        above=0,
        maximum=1,
        scope="command",
    )


LEVELS = ("needed", "overview", "all")
OVERVIEW, ALL = LEVELS[1:]
PROFILES = ("keep", "apply")
APPLY = PROFILES[1]


@dataclass(frozen=True)
class TileOptions(Options):
    """How a slide becomes a pyramid."""

    mpp: float = option(
        0.5,
        "working resolution in um per pixel; finer slides are reduced, none is enlarged",
        minimum=MIN_MPP,
        maximum=MAX_MPP,
        unit="microns per pixel",
        from_model=True,
    )
    levels: str = option(
        "needed",
        "levels of the pyramid to store: all, those needed by the model, or those of an overview,"
        " finer ones being read from the slide",
        choices=LEVELS,
    )
    level_tolerance: float = option(
        0.45,
        "how much a level that the scanner wrote may differ from what is computed, as a share of the"
        " difference that half a pixel makes; with 0.3 strongly compressed levels are passed over and more of a slide"
        " is read",
        minimum=0,
        maximum=1,
    )
    icc: str = option(
        "keep",
        "colour profile of a slide: keep the colours that are stored, or apply it, so that they are sRGB",
        choices=PROFILES,
    )
    """A model should see what it was trained with."""
    finest_level: int = option(
        0,
        "finest level that is stored where not all are; 0 has the working pixels, each other one"
        " half as many along a side",
        minimum=0,
        maximum=MAX_FINEST,
        scope="command",
    )
    """The workflow takes it from the model."""
    texture_level: int | None = option(
        None,
        "level of which the texture is stored, where it is finer than those that are",
        minimum=0,
        maximum=MAX_FINEST,
        scope="command",
    )
    """The workflow takes it from the model."""
    slide_mpp: float | None = option(
        None,
        "the slide's um per pixel; takes precedence over what the file states",
        scope="command",
    )
    scene: str = option(
        "",
        "number or name of the image to read, of a file with several; the largest when not given",
        scope="command",
    )
    max_unreadable_percent: float = option(
        20.0,
        "tiles that may fail to decode; they are filled with white, counted and reported",
        minimum=0,
        maximum=100,
    )


@dataclass(frozen=True)
class ScreenOptions(Options):
    """Which network looks at the overview of a slide."""

    model: str = option(
        "tissue-qc",
        "model for overviews, or the folder of one that workflow/models/tissue-qc.yaml trains",
    )


METHODS = ("classic", "network", "whole")


@dataclass(frozen=True)
class DetectOptions(Options):
    """What is tissue, and how it is divided into regions.

    Raises
    ------
    UsageError
        If the regions cannot be laid out with these numbers.
    """

    method: str = option(
        "classic",
        "what finds the tissue: rules (classic), the stage screen (network), or nothing: all is (whole)",
        choices=METHODS,
    )
    """`network`: where the stage screen found tissue, folded or out of focus or not, in pieces of which the
    rules find a tenth stained. The column `tissue` of the sheet takes precedence."""
    tissue_mpp: float = option(
        8.0,
        "resolution at which the rules look for tissue, um per pixel",
        minimum=1,
        maximum=64,
        unit="um per pixel",
    )
    """The nearest power-of-two reduction of the working pixels, even if the pyramid of a small slide
    ends before it."""
    tissue_threshold: float | None = option(
        None,
        "staining above which the rules take a pixel for tissue, optical density; 0.01 for a pale stain;"
        " from 0.02 to 0.06, by the strength of the stain, when not given",
        minimum=0.001,
        maximum=1,
    )
    """The column `tissue_threshold` of the sheet takes precedence."""
    min_tissue_um2: float = option(
        20_000.0, "smaller pieces of tissue are specks", minimum=0, maximum=MAX_AREA_UM2
    )
    max_hole_um2: float = option(
        20_000.0, "smaller holes in tissue are filled", minimum=0, maximum=MAX_AREA_UM2
    )
    region_size: int = option(
        2048, "side of a region, working pixels", minimum=256, maximum=MAX_REGION, from_model=True
    )
    overlap: int = option(
        256,
        "overlap of neighbouring regions, working pixels, at most half a region",
        minimum=0,
        maximum=MAX_REGION // 2,
        from_model=True,
    )
    lattice: int = option(
        256,
        "samples per side that the segmentation network sees of a region",
        minimum=8,
        maximum=8192,
        from_model=True,
    )
    stain: str = option(
        "",
        "its staining, such as H&E, PAS or IHC; of IHC also the tissue that is only counterstained is"
        " looked for",
        scope="command",
    )
    """The workflow takes it from the sheet."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.overlap > self.region_size // 2:
            raise UsageError(
                f"overlap is {self.overlap}, expected at most half of region_size, {self.region_size}"
            )
        if self.lattice > self.region_size:
            raise UsageError(
                f"lattice is {self.lattice}, expected at most region_size, {self.region_size},"
                " samples per side"
            )
