"""What the training slides of a model look like, measured after its training."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lds_path.errors import UsageError
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.regions import REGIONS_NAME, read_regions
from lds_path.inference.familiarity import measure_familiarity
from lds_path.learning.data.training_set import SPLITS, find_slides, origin_of
from lds_path.models.card import find_model, write_card
from lds_path.models.checkpoint import load_model
from lds_path.models.working import compare_working
from lds_path.network.device import use_threads
from lds_path.provenance.stage_folder import open_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lds_path.formats.pyramid import Pyramid
    from lds_path.formats.spread import Familiarity
    from lds_path.geometry import Region
    from lds_path.learning.data.training_set import LabelledSlide
    from lds_path.models.card import ModelCard


def measure(
    model: str, sheet: Path, *, tile: Path, detect: Path, base: Path | None = None
) -> Familiarity:
    """Store in a model's card what its training slides look like; its weights stay as they are.

    For models from before training did so.

    Parameters
    ----------
    model
        Id of a shipped model, or the path of a model folder.
    sheet, tile, detect, base
        As `train` takes them.

    Raises
    ------
    ModelError
        If the model is missing or damaged.
    UsageError
        If it was trained on other slides, or on other regions of them.
    """
    folder = find_model(model)
    segmenter, card = load_model(folder)
    slides = find_slides(sheet, base=base, tile=tile, detect=detect)
    splits = []
    for split in SPLITS:
        _check_split(card, model, split, slides[split])
        splits.append(
            [place for slide in slides[split] for place in _regions_of(slide, card, model)]
        )
    jitter = float(card.training.get("stain_jitter", 0.0))
    with use_threads(1):  # the sums do not depend on the machine then
        familiarity = measure_familiarity(segmenter, *splits, stain_jitter=jitter)
    write_card(folder, replace(card, familiarity=familiarity, **origin_of(slides["train"])))
    return familiarity


def _check_split(card: ModelCard, model: str, split: str, slides: Sequence[LabelledSlide]) -> None:
    known = card.training.get(split, {}).get("slides")
    found = [slide.slide for slide in slides]
    if known is not None and sorted(known) != sorted(found):
        raise UsageError(
            f"the model '{model}' has the slides {', '.join(known) or 'none'} in the split {split},"
            f" but the sheet {', '.join(found) or 'none'}; name the sheet that it was trained with"
        )


def _regions_of(slide: LabelledSlide, card: ModelCard, model: str) -> list[tuple[Pyramid, Region]]:
    """Return the regions of a training slide, with its pyramid."""
    pyramid = open_pyramid(slide.tile)
    regions = read_regions(open_folder(slide.detect).file(REGIONS_NAME))
    misfits = compare_working(
        card,
        model,
        mpp=slide.mpp,
        true_mpp=slide.true_mpp,
        sizes=[region.size for region in regions],
        lattices=[region.lattice for region in regions],
    )
    if misfits:
        raise UsageError(f"{slide.slide} is not cut up as in the training: {misfits[0].reason}")
    return [(pyramid, region) for region in regions]
