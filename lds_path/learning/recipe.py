"""How to train: the objective, what is shown and for how long, and the recipe of the paper."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lds_path.option import MAX_SEED, Options, option

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_WEIGHT = 10**6
OWN_WEIGHTS = ("imagenet", "none")
"""What `encoder_weights` may be besides the path of a file."""
SCHEDULES = ("one-cycle", "cosine", "steps")
PRECISIONS = ("auto", "float32", "bfloat16")
FROZEN = ("none", "encoder", "density", "encoder-and-density")


@dataclass(frozen=True)
class Recipe(Options):
    """How long and how fast to train, and for what objective."""

    steps: int = option(1500, "length of the training", minimum=1, maximum=10**7)
    learning_rate: float = option(
        3e-3, "highest learning rate of the segmentation network", minimum=0, maximum=10
    )
    density_learning_rate: float = option(
        2e-3, "highest learning rate of the density network", minimum=0, maximum=10
    )
    edge_weight: float = option(
        1.0, "weight of the edge loss at the start; see edge_decay", minimum=0, maximum=MAX_WEIGHT
    )
    seed: int = option(1, "the same seed gives the same model", minimum=0, maximum=MAX_SEED)
    encoder_weights: str = option(
        "imagenet", "EfficientNetLite: its encoder starts from imagenet, none or a safetensors file"
    )
    """The file has timm's names of EfficientNet-Lite. The samples are then normalised as for ImageNet."""
    schedule: str = option("one-cycle", "one-cycle, cosine or steps", choices=SCHEDULES)
    """`one-cycle`: the learning rate rises for 30 % of the steps, then falls to nothing (Smith and Topin
    2017); `cosine`: it rises shortly, then falls to a hundredth; `steps`: divided by ten after 40 % and
    again after 80 % of the steps."""
    optimizer: str = option("AdamW", "AdamW or Adam", choices=("AdamW", "Adam"))
    weight_decay: float = option(0.01, "weight decay of the optimizer", minimum=0, maximum=10)
    largest_gradient: float | None = option(
        5.0, "norm that the gradient is clipped to", above=0, maximum=MAX_WEIGHT
    )
    precision: str = option("auto", "precision of the convolutions in a step", choices=PRECISIONS)
    """`auto` is float16 on a GPU and float32 on a CPU; `bfloat16`
    takes about 0.8 of the time of float32 on CPUs that multiply matrices of it (AMX)."""
    dice_weight: float = option(1.0, "weight of the Dice loss", minimum=0, maximum=MAX_WEIGHT)
    cross_entropy_weight: float = option(
        1.0, "weight of the cross-entropy", minimum=0, maximum=MAX_WEIGHT
    )
    class_weights: tuple[float, ...] = option(
        (), "relative weight of each class; empty: all equal", minimum=0, maximum=MAX_WEIGHT
    )
    """In both, in the order of their values."""
    area_power: float = option(
        0.5, "a sample counts by the area it stands for to this power", minimum=0, maximum=10
    )
    """The area is det J of the grid. 1 makes the loss that of the full-size region, 0 counts all
    samples equally."""
    point_weight: float = option(
        0.0,
        "weight of the cross-entropy at random points between the samples",
        minimum=0,
        maximum=MAX_WEIGHT,
    )
    """These are read at the finest level."""
    points: int = option(4096, "such points in each region", minimum=1, maximum=2**20)
    warp_gate: bool = option(
        False,
        "true: the training shows the warp at every strength, and the model keeps the strength that the split tune"
        " proves to gain; else it samples uniformly",
    )
    edge_loss: str = option("kl", "kl or mse", choices=("kl", "mse"))
    """How the density is compared with its target: `kl` as distributions, by Kullback-Leibler
    divergence; `mse` by the squared difference after both are stretched to 0..1."""
    edge_decay: float = option(
        0.0, "power by which the weight of the edge loss falls", minimum=0, maximum=100
    )
    """The weight of the edge loss falls as (1 - progress)^edge_decay; 0 keeps it."""
    edge_blur: float = option(
        1.0,
        "standard deviation of the target's blur, cells of the density map",
        above=0,
        maximum=100,
    )
    edge_floor: float = option(
        0.1, "fraction of the target that is spread evenly", above=0, maximum=1
    )
    rarity: float = option(
        0.0, "fraction of the target that is divided evenly among the classes", minimum=0, maximum=1
    )
    """The classes are those that a region shows, each part is spread over the class's area: rare
    classes draw samples. The rest goes to boundaries."""
    rungs_per_step: int = option(
        1, "lattices of the ladder in each training step", minimum=1, maximum=12
    )
    """The coarse view is processed once for all of them."""
    benefit_weight: float = option(
        1.0,
        "weight of the loss of the errors predicted for each lattice",
        minimum=0,
        maximum=MAX_WEIGHT,
    )
    error_source: str = option(
        "labels",
        "whose errors are predicted for each lattice of the ladder: labels or network",
        choices=("labels", "network"),
        old_name="foretell",
    )
    """`labels`: the errors of the reference labels resampled to a lattice and back, which more samples
    reduce. `network`: the errors of the network itself at this step, which also has to recognise what
    it samples."""
    error_power: float = option(
        0.5, "weight of rare classes in the predicted errors", minimum=0, maximum=1
    )
    """A wrong pixel costs, in these errors, its class's share of the labelled area to minus this
    power. 0: all equal; 1: every class matters as much as a whole, as in a mean IoU."""
    stain_jitter: float = option(
        0.15, "spread of the factors on optical density", minimum=0, maximum=10
    )
    """Standard deviation of the logarithm of the factor on each channel's optical density."""
    brightness_jitter: float = option(
        0.05, "spread of the factors on brightness", minimum=0, maximum=10
    )
    """Standard deviation of the logarithm of the factor on brightness."""
    white_balance_jitter: float = option(
        0.05, "spread of the factors on each channel's brightness", minimum=0, maximum=10
    )
    """As `brightness_jitter`, for red, green and blue apart."""
    view_blur: float = option(
        0.0, "fraction of the steps in which the coarse view is blurred", minimum=0, maximum=1
    )
    """These are the first steps; the strength is random."""
    withhold_chance: float = option(
        0.0,
        "fraction of the regions segmented from colours only, without shared features",
        minimum=0,
        maximum=1,
    )
    """There the segmentation network does not see the distance between samples either: it also learns
    to work without them, which helps when there is only a single training image."""
    sample_by: str = option(
        "network",
        "what decides where to sample; all but the network are for studies",
        choices=("network", "labels", "random"),
    )
    """What decides where to sample: the density `network`; for studies `labels`, the target of the
    edge loss, an upper bound for the network, or `random`, a smooth random density.
    With these two the model does not learn where to sample."""


@dataclass(frozen=True)
class Start(Options):
    """What the weights start from, other than random numbers."""

    start: str | None = option(
        None, "model whose weights the training starts from: a shipped one's id, or a model folder"
    )
    """The network is then this model's, with its normalisation. Its last layer is kept if the classes are
    the same in the same order, and starts afresh otherwise."""
    start_rate: float = option(
        0.25,
        "learning rate of what the model to start from has learned, as a fraction",
        minimum=0,
        maximum=1,
    )
    frozen: str = option(
        "none",
        "what does not learn further: none, encoder, density, or encoder-and-density",
        choices=FROZEN,
    )
    """`density`: where to sample, and what is expected of each lattice."""


@dataclass(frozen=True)
class Augmentation(Options):
    """How often a region is moved, how often it is blurred and how often it gets noise."""

    move_chance: float = option(
        0.0,
        "fraction of the regions rotated by any angle, shifted and scaled",
        minimum=0,
        maximum=1,
    )
    """All are turned by right angles and mirrored. For few slides or long trainings: it takes more steps to
    the same score."""
    blur_chance: float = option(
        0.1, "fraction of the regions shown out of focus", minimum=0, maximum=1
    )
    noise_chance: float = option(
        0.1, "fraction of the regions shown with noise", minimum=0, maximum=1
    )
    shift: float = option(
        0.25,
        "how far a region may lie from its place, as a fraction of its sides",
        minimum=0,
        maximum=1,
    )
    """Each time a region is shown it is cut out of a larger one, which is kept in memory: it takes
    (1 + 2 shift)^2 times the memory of the region."""


@dataclass(frozen=True)
class Schedule(Options):
    """What is shown in which order, and when the model is scored."""

    batch_size: int = option(4, "regions in a step", minimum=1, maximum=1024)
    tune_every: int = option(
        100, "steps between two scores on the slides of the split `tune`", minimum=1, maximum=10**7
    )
    patience: int = option(
        10,
        "scores without a better one after which the training ends early; 0 never does",
        minimum=0,
        maximum=10**7,
    )
    balance: float = option(
        1.0, "1 shows each class equally often, 0 each region", minimum=0, maximum=1
    )
    """See `balance.region_chances`."""
    augmentation: Augmentation = field(default_factory=Augmentation)


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
        "texture": False,
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
        "warp_gate": False,
        "edge_loss": "mse",
        "edge_decay": 0.9,
        "edge_blur": 1.0,
        "edge_floor": 1e-3,
        "rarity": 0.0,
        "rungs_per_step": 1,
        "benefit_weight": 0.0,
        "error_source": "labels",
        "error_power": 0.0,
        "stain_jitter": 0.0,
        "brightness_jitter": 0.0,
        "white_balance_jitter": 0.0,
        "view_blur": 0.4,
        "withhold_chance": 0.0,
        "sample_by": "network",
    },
    augmentation={"move_chance": 0.0, "blur_chance": 0.0, "noise_chance": 0.0, "shift": 0.0},
)
"""The released recipe of Jin et al. 2022, as it was meant.

Kept: the density network that sees 7 x 7 pixels, softmax, the kernel of a
tenth of the side, cross-entropy on the samples, all equal, the edge loss (squared difference after
stretching to 0..1, weight 100, decaying as in its histology configuration), Adam at 1e-4 with two
steps down, and the random blur of the coarse view in the first 100 of 250 epochs.

Not kept, because they are faults of the released code: the kernel cut at a sixteenth of its peak and the
repeated border (grids that fold and leave the border out), two conventions of coordinates (half a
sample off), interpolated class ids, edges whose strength depends on the ids and that lie on one
side, stretching over the batch instead of each image, samples without antialiasing, and a density
that may reach 0 (a floor of 0.001 keeps sums from vanishing).
"""

PRESETS: Mapping[str, Preset] = {"jin2022": JIN2022}
