"""Options of train."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from lds_path.learning.recipe import PRESETS, Recipe, Schedule, Start
from lds_path.network.spec import NetworkSpec
from lds_path.option import Options, as_parameters, option
from lds_path.options.device import device_option
from lds_path.options.reference import LabelsOptions


@dataclass(frozen=True)
class TrainOptions(Options):
    """What is trained, from what, and how."""

    labels: LabelsOptions = field(default_factory=LabelsOptions)
    network: NetworkSpec = field(
        default_factory=partial(
            NetworkSpec, class_count=1, architecture="EfficientNetLite", texture=True
        )
    )
    """The number of classes and the colours are not options: they follow from the slides."""
    start: Start = field(default_factory=Start)
    preset: str | None = option(None, "null or jin2022", choices=tuple(PRESETS))
    """A set of values that take precedence over all others."""
    recipe: Recipe = field(default_factory=Recipe)
    course: Schedule = field(default_factory=Schedule)
    description: str = option("", "what the model is for")
    data: str = option("", "where the training data come from and their licence")
    licence: str = option("", "licence of the model")
    authors: tuple[str, ...] = option((), "authors of the model")
    cache_mib: int = option(
        2048,
        "memory for regions that are kept between steps, MiB",
        minimum=0,
        maximum=2**24,
        scope="command",
    )
    device: str = device_option()

    def for_classes(self, count: int) -> TrainOptions:
        """Return the options for a number of classes, with the values of the preset."""
        network = replace(self.network, class_count=count)
        if self.preset is None:
            return replace(self, network=network)
        preset, augmentation = PRESETS[self.preset], self.course.augmentation
        return replace(
            self,
            network=replace(network, **preset.network),
            recipe=replace(self.recipe, **preset.recipe),
            course=replace(self.course, augmentation=replace(augmentation, **preset.augmentation)),
        )

    def parameters(self) -> dict[str, Any]:
        """Return what determines the weights, besides the slides and their classes."""
        network = as_parameters(self.network)
        measured = ("class_count", "mean", "std")
        course = as_parameters(self.course)
        augmentation = as_parameters(self.course.augmentation)
        return {
            "preset": self.preset,
            **{name: value for name, value in network.items() if name not in measured},
            **as_parameters(self.start),
            **as_parameters(self.recipe),
            **augmentation,
            **{name: value for name, value in course.items() if name not in augmentation},
        }
