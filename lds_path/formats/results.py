"""What each stage hands on in its manifest: the keys of `results`, and parameters needed later.

The fields are the keys, in their order, see `provenance.stage_folder`. Fields that were added later
have a default, so that older folders stay readable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lds_path.classes import LabelClass
from lds_path.formats.spread import Spread  # noqa: TC001 - read where a manifest is checked
from lds_path.geometry import Frame, Size
from lds_path.provenance.stage_folder import StageParameters, StageResults

Scores = Mapping[str, float | None]
"""Class -> score; None if neither image has the class."""


@dataclass(frozen=True)
class Remark:
    """A reason, found by a stage, why the result of a slide is doubtful or bad."""

    word: str
    """warn or fail."""
    reason: str


@dataclass(frozen=True, kw_only=True)
class TileParameters(StageParameters):
    """How the slide was tiled."""

    stage = "tile"

    mpp: float
    """Microns per working pixel, as requested."""
    max_unreadable_percent: float = 20.0
    """Tiles of a level of the slide that may fail to decode."""


@dataclass(frozen=True, kw_only=True)
class TileResults(StageResults):
    """The pyramid, and the slide that it was made from."""

    stage = "tile"

    width: int
    """Working pixels, as height."""
    height: int
    mpp: float
    """Microns per working pixel."""
    downsample: float
    """Level-0 pixels per working pixel."""
    left_l0: int
    """Where the working pixels begin on the slide, as top_l0."""
    top_l0: int
    width_l0: int
    """Of the slide's bounds, as height_l0."""
    height_l0: int
    slide_mpp: float
    """Microns per level-0 pixel."""
    mpp_source: str
    """Where they come from: sheet, metadata or tags."""
    vendor: str
    file: str
    """Name of the slide's file."""
    format: str
    levels: int
    """Of the pyramid."""
    slide_level: int
    """The slide's level that was read."""
    unreadable_tiles: int
    background: int
    """Grey value of glass."""
    icc: bool
    """Whether the slide has a colour profile."""
    objective_power: float | None
    icc_name: str = ""
    """What the profile calls itself."""
    icc_applied: bool = False
    """Whether the pixels are converted by it to sRGB."""
    painted: bool = False
    """Whether `lds-path demo` painted the slide."""
    other_images: tuple[str, ...] = ()
    """What the file holds beside the slide, by name and size; not analysed."""
    scene: str = ""
    """Number or name of the image that was asked for, of a file with several."""
    image_number: int = 0
    """Its number, as the file counts its images."""
    finest_level: int = 0
    """Finest level of the pyramid that is stored; finer ones are read from the slide."""
    texture_level: int | None = None
    """Finer level of which the texture is stored."""
    stored_from: int | None = None
    """The slide's level that it was read from; None where it was computed from `slide_level`."""
    level_filter: tuple[int, ...] = ()
    """Weights of the filter that this level went through, see `fit_detail_filter`; empty if none."""
    identities: tuple[tuple[int, ...], ...] = ()
    """Size, times and inode of each file of the slide, where levels are read from it later."""
    unreadable: tuple[tuple[int, int, int], ...] = ()
    """Level of the slide, column and row of the unreadable tiles, where later stages may add some."""

    @property
    def size(self) -> Size:
        """Extent in working pixels."""
        return Size(self.width, self.height)

    @property
    def bounds_l0(self) -> Size:
        """Extent of the same rectangle in level-0 pixels."""
        return Size(self.width_l0, self.height_l0)

    @property
    def frame(self) -> Frame:
        """Where the working pixels lie on the slide."""
        return Frame(self.mpp, self.downsample, self.left_l0, self.top_l0)


@dataclass(frozen=True, kw_only=True)
class ScreenResults(StageResults):
    """What a network found in the overview, and the scale of its class map."""

    stage = "screen"

    model: str
    """As the user gave it."""
    model_mpp: float
    """Microns per pixel that the model was trained at."""
    classes: tuple[LabelClass, ...]
    """Of the values in the class map."""
    percent: Mapping[str, float]
    """Class -> percentage of the slide."""
    map_downsample: float
    """Working pixels per pixel of the class map."""
    map_mpp: float


@dataclass(frozen=True, kw_only=True)
class DetectParameters(StageParameters):
    """How the regions were laid out."""

    stage = "detect"

    overlap: int
    """Overlap of neighbouring regions, in working pixels."""


@dataclass(frozen=True, kw_only=True)
class DetectResults(StageResults):
    """The tissue mask and the regions."""

    stage = "detect"

    tissue_mm2: float
    pieces: int
    """Separate pieces of tissue."""
    regions: int
    mask_level: int
    """Level of the pyramid on which tissue was looked for."""
    mask_downsample: float
    """Working pixels per mask pixel."""
    mask_mpp: float
    empty_objects: int = 0
    """Objects of the region of interest that have no area and are left out."""
    tissue_threshold: float | None = None
    """Staining above which a pixel is tissue, optical density; None where no rules looked for it."""


@dataclass(frozen=True, kw_only=True)
class PlanResults(StageResults):
    """How the samples were distributed; the ladder and what follows from it only for a budget."""

    stage = "plan"

    regions: int
    ladder: tuple[int, ...] | None = None
    """Samples per side of the available lattices."""
    regions_per_rung: tuple[int, ...] | None = None
    budget_samples: int | None = None
    budget_seconds: float | None = None
    """Seconds of one core, or of a GPU, that `segment` may take."""
    predicted_seconds: float | None = None
    """What it should take for these lattices, where the budget is in seconds."""
    samples: int
    expected_error_px: float | None = None


@dataclass(frozen=True, kw_only=True)
class ModelSummary:
    """What a verdict and a page say of a model, from its card."""

    description: str
    """What it is for."""
    tune_dice: Scores
    """Class -> Dice on slides that it did not learn from; empty if there were none."""
    colours: Spread | None = None
    """Of tissue that it learned from, see `pixels.stains.window_colours`."""


@dataclass(frozen=True, kw_only=True)
class SegmentResults(StageResults):
    """The predictions of one shard."""

    stage = "segment"

    regions: int
    region_mpp: float
    """Microns per working pixel of the regions."""
    samples: int
    model: str
    """As the user gave it."""
    model_mpp: float
    """Microns per pixel that the model was trained at."""
    sampler: str
    classes: tuple[LabelClass, ...]
    """In the order of the probabilities."""
    about: ModelSummary | None = None
    remarks: tuple[Remark, ...] = ()
    """What makes the model unfit for this slide, or for these regions."""
    network_seconds: float | None = None
    """Seconds of all cores, or of a GPU, from the first region to the last."""
    predicted_seconds: float | None = None
    """What they should be for all shards together, where the budget is in seconds."""
    precision: str = "float32"
    """Of the numbers that the segmentation network computed with."""
    patches: int | None = None
    """Parts of regions that were compared with what the model learned from: on its own lattice."""
    unlike_patches: int | None = None
    """Those that look unlike it."""
    unreadable: tuple[tuple[int, int, int], ...] = ()
    """Level of the slide, column and row of its tiles that could not be read for finer levels."""


@dataclass(frozen=True)
class ValueRange:
    """How the values of an image of a quantity are shown."""

    range: tuple[int, int]
    """Values of the first and the last colour."""
    meaning: str
    """Of the values, in words."""


@dataclass(frozen=True, kw_only=True)
class StitchResults(StageResults):
    """The label image, and what it shows."""

    stage = "stitch"

    classes: tuple[LabelClass, ...]
    pixels: Mapping[str, int]
    """Class -> label pixels."""
    mean_confidence: Mapping[str, float]
    """Class -> mean probability where it is the label; only classes that have pixels."""
    width: int
    """Label pixels, as height."""
    height: int
    mpp: float
    """Microns per label pixel."""
    scale: float
    """Working pixels per label pixel."""
    downsample: float
    """Level-0 pixels per label pixel."""
    left_l0: int
    """Where the label image begins on the slide, as top_l0."""
    top_l0: int
    confidence_downsample: int
    """Label pixels per pixel of the confidence and of the maps."""
    maps: Mapping[str, ValueRange] = field(default_factory=dict)
    """Name -> optional image of a quantity."""

    @property
    def size(self) -> Size:
        """Extent in label pixels."""
        return Size(self.width, self.height)

    @property
    def frame(self) -> Frame:
        """Where the label pixels lie on the slide."""
        return Frame(self.mpp, self.downsample, self.left_l0, self.top_l0)

    @property
    def working_frame(self) -> Frame:
        """Where the working pixels lie on the slide."""
        scale = self.scale
        return Frame(self.mpp / scale, self.downsample / scale, self.left_l0, self.top_l0)


@dataclass(frozen=True)
class PictureSize:
    """The pixels of the pictures."""

    width: int
    height: int
    mpp: float


@dataclass(frozen=True)
class CropPosition:
    """What a crop shows and where its middle lies, in level-0 pixels from the bounds corner.

    QuPath counts from that corner, too.
    """

    title: str
    x: int
    y: int
    mpp: float
    """Microns per pixel of the picture."""


@dataclass(frozen=True, kw_only=True)
class AssessResults(StageResults):
    """The verdict, what the pictures show, and the main metrics."""

    stage = "assess"

    verdict: str
    """pass, warn or fail."""
    reasons: tuple[str, ...]
    """Why it does not pass."""
    classes: tuple[LabelClass, ...]
    view: PictureSize
    crops: tuple[CropPosition, ...]
    tissue_mm2: float | None
    analysed_percent: float | None
    confidence: float | None
    uncertain_percent: float | None
    out_of_focus_percent: float | None
    pitch_um: tuple[float, float] | None = None
    """Distances between samples that the last and the first colour of the density stand for."""


@dataclass(frozen=True, kw_only=True)
class EvaluateResults(StageResults):
    """Scores and areas of each class against the reference labels, see `reference.scores`."""

    stage = "evaluate"

    dice: Scores
    iou: Scores
    boundary_iou: Scores | None = None
    round_trip_dice: Scores | None = None
    round_trip_iou: Scores | None = None
    lattice_dice: Scores | None = None
    lattice_iou: Scores | None = None
    reference_mm2: Scores | None = None
    predicted_mm2: Scores | None = None
    hit_px: Scores | None = None
    reference_px: Scores | None = None
    predicted_px: Scores | None = None
    boundary_hit_px: Scores | None = None
    boundary_reference_px: Scores | None = None
    boundary_predicted_px: Scores | None = None
    round_trip_hit_px: Scores | None = None
    round_trip_reference_px: Scores | None = None
    round_trip_predicted_px: Scores | None = None
    scored_mm2: float | None = None
    remarks: tuple[Remark, ...] = ()
    """Scores below the limits."""
    empty_objects: int = 0
    """Objects of the reference, and of the annotated area, that have no area and are left out."""
