"""How to train: every part of the objective, and the paper's recipe for comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lds_path.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

PRECISIONS = ("auto", "float32", "bfloat16")
CHOICES = {
    "schedule": ("cosine", "steps"),
    "optimizer": ("AdamW", "Adam"),
    "edge_loss": ("kl", "mse"),
    "precision": PRECISIONS,
    "foretell": ("labels", "network"),
    "sample_by": ("network", "labels", "random"),
}


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train, and what for."""

    steps: int
    learning_rate: float
    """Highest learning rate of the segmentation network."""
    density_learning_rate: float
    """The same for the density network."""
    edge_weight: float
    """Weight of the edge loss at the start."""
    seed: int
    schedule: str = "cosine"
    """`cosine`: the learning rate rises shortly, then falls as a cosine to a hundredth; `steps`:
    a tenth after 40 % and again after 80 % of the steps."""
    optimizer: str = "AdamW"
    weight_decay: float = 1e-4
    largest_gradient: float | None = 5.0
    """Norm that the gradient is cut to."""
    precision: str = "auto"
    """Of the convolutions in a step: `auto` is float16 on a GPU and float32 on a CPU; `bfloat16`
    takes about 0.8 of the time of float32 on CPUs that multiply matrices of it (AMX)."""
    dice_weight: float = 1.0
    cross_entropy_weight: float = 1.0
    class_weights: tuple[float, ...] = ()
    """Relative weight of each class in both, in the order of their values; all alike if empty."""
    area_power: float = 0.5
    """A sample counts by the area that it stands for (det J of the grid) to this power. 1 makes
    the loss that of the full-size region, 0 counts all samples alike."""
    point_weight: float = 0.0
    """Weight of the cross-entropy at random points between the samples, read at the finest level."""
    points: int = 4096
    """Such points in each region."""
    edge_loss: str = "kl"
    """How the density is compared with its target: `kl` as distributions, by Kullback-Leibler
    divergence; `mse` by the squared difference after both are stretched to 0..1."""
    edge_decay: float = 0.0
    """The weight of the edge loss falls as (1 - progress)^edge_decay; 0 keeps it."""
    edge_blur: float = 1.0
    """Standard deviation of the blur of the target, in cells of the density map."""
    edge_floor: float = 0.1
    """Part of the target that is spread evenly."""
    rarity: float = 0.0
    """Part of the target that is shared out evenly among the classes that a region shows, each
    part spread over the class's area: rare classes draw samples. The rest goes to boundaries."""
    rungs_per_step: int = 1
    """Lattices of the ladder that each step learns from; all share one look at the coarse view."""
    benefit_weight: float = 1.0
    """Weight of the loss of the errors foretold for the lattices of the ladder."""
    foretell: str = "labels"
    """Which errors are foretold: those of the `labels` after the way to a lattice and back, which
    more samples mend, or those of the `network` as it is at this step, which has to recognise what
    it samples, too."""
    error_power: float = 0.5
    """A wrong pixel costs, in these errors, its class's share of the labelled area to minus this
    power. 0: all alike; 1: every class matters as much as a whole, as in a mean IoU."""
    stain_jitter: float = 0.15
    """Standard deviation of the logarithm of the factor on each channel's optical density."""
    brightness_jitter: float = 0.05
    """Standard deviation of the logarithm of the factor on brightness."""
    view_blur: float = 0.0
    """Share of the steps, from the first, in which the coarse view is blurred at random."""
    withhold_chance: float = 0.0
    """Share of the regions, in a step, of which the segmentation network sees the colours alone,
    neither the shared features nor the distance of the samples: it learns to do without, too, which
    a single image to learn from may need."""
    sample_by: str = "network"
    """What decides where to sample: the density `network`; for studies `labels`, the target of the
    edge loss, which bounds what a network can learn, or `random`, smooth hills that know nothing.
    With these two no model learns where to look."""

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise UsageError(
                    f"{name} is '{getattr(self, name)}', which is unknown; there are"
                    f" {', '.join(known)}"
                )
        shares = (("edge_floor", 1e-6), ("rarity", 0.0), ("withhold_chance", 0.0))
        for name, low in shares:
            if not low <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is {getattr(self, name)}, expected {low} to 1.0")
        if self.rungs_per_step < 1:
            raise UsageError(f"rungs_per_step is {self.rungs_per_step}, expected 1 or more")


@dataclass(frozen=True)
class Preset:
    """Values that belong together, for `dataclasses.replace`."""

    network: Mapping[str, Any]
    """Fields of `NetworkSpec`."""
    recipe: Mapping[str, Any]
    """Fields of `Recipe`."""
    augmentation: Mapping[str, Any]
    """Fields of `Augmentation`."""


JIN2022 = Preset(
    network={
        "sampler": "kernel",
        "kernel_width": 0.1,
        "max_zoom": None,
        "density_network": "local",
        "density_floor": 1e-3,
        "shared_features": False,
    },
    recipe={
        "learning_rate": 1e-4,
        "density_learning_rate": 1e-4,
        "schedule": "steps",
        "optimizer": "Adam",
        "weight_decay": 1e-4,
        "largest_gradient": None,
        "dice_weight": 0.0,
        "cross_entropy_weight": 1.0,
        "class_weights": (),
        "area_power": 0.0,
        "point_weight": 0.0,
        "edge_weight": 100.0,
        "edge_loss": "mse",
        "edge_decay": 0.9,
        "edge_blur": 1.0,
        "edge_floor": 1e-3,
        "rarity": 0.0,
        "rungs_per_step": 1,
        "benefit_weight": 0.0,
        "foretell": "labels",
        "error_power": 0.0,
        "stain_jitter": 0.0,
        "brightness_jitter": 0.0,
        "view_blur": 0.4,
        "withhold_chance": 0.0,
        "sample_by": "network",
    },
    augmentation={"move_chance": 0.0, "blur_chance": 0.0, "noise_chance": 0.0},
)
"""The released recipe of Jin et al. 2022, as far as it was meant.

Kept: the density network that sees 7 x 7 pixels, softmax, the kernel of a
tenth of the side, cross-entropy on the samples, all alike, the edge loss (squared difference after
stretching to 0..1, weight 100, decaying as in its histology configuration), Adam at 1e-4 with two
steps down, and the random blur of the coarse view in the first 100 of 250 epochs.

Not kept, being faults of the released code: the kernel cut at a sixteenth of its peak and the
repeated border (grids that fold and leave the border out), two conventions of coordinates (half a
sample off), interpolated class ids, edges whose strength depends on the ids and that lie on one
side, stretching over the batch instead of each image, samples without antialiasing, and a density
that may reach 0 (a floor of 0.001 keeps sums from vanishing).
"""

PRESETS: Mapping[str, Preset] = {"jin2022": JIN2022}
