"""What a training sees, in which order and how varied, and when it looks how good the model is."""

from __future__ import annotations

from dataclasses import dataclass, field

from lds_path.option import Options, option


@dataclass(frozen=True)
class Augmentation(Options):
    """How often a region is moved, how often it is blurred and how often it gets noise."""

    move_chance: float = option(
        0.5, "share of the regions turned by any angle, shifted and scaled", minimum=0, maximum=1
    )
    blur_chance: float = option(
        0.1, "share of the regions shown out of focus", minimum=0, maximum=1
    )
    noise_chance: float = option(0.1, "share of the regions shown with noise", minimum=0, maximum=1)


@dataclass(frozen=True)
class Schedule(Options):
    """What is shown in which order, and when to look how good the model is."""

    batch_size: int = option(4, "regions in a step", minimum=1)
    tune_every: int = option(
        100, "steps between two scores on the slides of the split `tune`", minimum=1
    )
    patience: int = option(
        10,
        "scores without a better one after which the training ends early; 0 never does",
        minimum=0,
    )
    balance: float = option(
        1.0, "1 shows each class equally often, 0 each region", minimum=0, maximum=1
    )
    """See `balance.region_chances`."""
    augmentation: Augmentation = field(default_factory=Augmentation)
