"""The page of a training: one HTML file with all its pictures in it."""

from __future__ import annotations

import io
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lds_path.reporting.pages import css_color, environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PIL import Image

    from lds_path.classes import LabelClass

PAGE_NAME = "index.html"
_QUALITY = 85


@dataclass(frozen=True)
class Example:
    """A region that the model gets wrong."""

    slide: str
    position: str
    """Its middle, as QuPath counts."""
    finding: str
    pictures: tuple[Image.Image, Image.Image, Image.Image]
    """Tissue; with its labels; with those of the model."""


@dataclass(frozen=True)
class LearnedClass:
    """One class: its labels, and its score."""

    label_class: LabelClass
    train_mm2: float
    """Labelled area to learn from; where regions overlap, it counts for each."""
    train_slides: int
    tune_mm2: float
    tune_slides: int
    dice: float | None
    start_dice: float | None = None
    """Of the model that the training started from."""

    @property
    def color(self) -> str:
        """As CSS writes it."""
        return css_color(self.label_class.color)


@dataclass(frozen=True)
class TrainingPage:
    """What the page shows."""

    model: str
    """Path of the model folder."""
    description: str
    facts: Mapping[str, str]
    warnings: Sequence[str]
    curve: bytes
    """PNG."""
    classes: Sequence[LearnedClass]
    slides: Mapping[str, Sequence[float | None]]
    """Slide of the split tune -> Dice of each class."""
    examples: Sequence[Example]
    commands: Mapping[str, str]
    """What for -> command."""

    @property
    def has_start(self) -> bool:
        """Whether it is known of any class how good the model was that the training started from."""
        return any(item.start_dice is not None for item in self.classes)


def render_training(page: TrainingPage) -> str:
    """Return the page."""
    template = environment().get_template("training.html.j2")
    return template.render(page=page, curve=_data_url("png", page.curve), jpeg=_jpeg)


def _jpeg(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_QUALITY)
    return _data_url("jpeg", stream.getvalue())


def _data_url(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{b64encode(content).decode()}"
