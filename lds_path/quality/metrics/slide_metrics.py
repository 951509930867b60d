"""The metrics of a slide itself by name: identity, focus, artefacts, stains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lds_path.geometry import Size
from lds_path.pixels.morphology import within_reach
from lds_path.pixels.stain_names import STAINS, kind_of
from lds_path.quality.metrics.metric import Metric, percent_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lds_path.formats.class_map import ClassMap
    from lds_path.formats.mask import Mask
    from lds_path.formats.results import TileResults
    from lds_path.pixels.artefacts import Artefacts
    from lds_path.pixels.stains import Stains


NEAR_UM = 200.0
"""Artefacts count that are on the tissue or as near to it as this, as by the rules."""


def identity_metrics(tile: TileResults, unreadable_tiles: int) -> dict[str, Metric]:
    """Return the pixel sizes of the slide, their source, and how much of its file was unreadable."""
    others = {
        "other_images": Metric(
            "; ".join(tile.other_images),
            "",
            "What the file holds beside the slide, by name and size; it is not analysed.",
            "tile",
        )
    }
    return {
        "mpp": Metric(
            tile.mpp,
            "µm/px",
            "Size of a working pixel: the finest pixels that the analysis reads.",
            "tile",
        ),
        "slide_mpp": Metric(
            tile.slide_mpp, "µm/px", "Size of a pixel of the slide's finest level.", "tile"
        ),
        "mpp_source": Metric(
            tile.mpp_source,
            "",
            "Where the pixel size comes from: sample sheet, file metadata or TIFF tags.",
            "tile",
        ),
        "unreadable_tiles": Metric(
            unreadable_tiles,
            "tiles",
            "Tiles of the file, among those that the analysis read, that could not be decoded, or have"
            " no bytes although another level shows something there. They are white.",
            "tile, segment",
        ),
        **(others if tile.other_images else {}),
    }


def focus_metrics(blurs: Sequence[float], max_blur: float) -> dict[str, Metric]:
    """Return how sharp the slide is.

    Parameters
    ----------
    blurs
        Of each window of tissue, see `focus.blur`.
    max_blur
        A more blurred window counts as out of focus.
    """
    out_of_focus = 100 * float(np.mean(np.array(blurs) > max_blur)) if blurs else None
    return {
        "blur": Metric(
            float(np.median(blurs)) if blurs else None,
            "0 to 1",
            "Blur by Crete et al. 2007, whatever the contrast; 0 is sharp. Median of up to 64"
            " windows of tissue of 256 x 256 pixels at the level nearest to 0.5 µm/px.",
            "tile: pyramid",
        ),
        "out_of_focus_percent": Metric(
            out_of_focus,
            "% of windows",
            f"Windows of tissue whose blur is above {max_blur:g}.",
            "tile: pyramid",
        ),
    }


def artefact_metrics(artefacts: Artefacts, tissue: NDArray[np.bool_]) -> dict[str, Metric]:
    """Return how much of the tissue each kind of artefact covers.

    Parameters
    ----------
    artefacts, tissue
        On the same pixels, (H, W).
    """
    definitions = {
        "fold": "Folds and other tissue at least twice as dense as its surroundings and the"
        " slide's typical tissue, of the same hue (after Kothari et al. 2013).",
        "dark": "Black spots on the tissue or within 200 µm of it: dirt, pigment, foreign bodies.",
        "pen": "Ink of a pen on the tissue or within 200 µm of it.",
        "bubble": "Air bubbles (round, with a thin grey rim) and edges of a cover slip (straight"
        " grey lines of 1.5 mm or more).",
    }
    return {
        f"{kind}_percent": Metric(
            percent_of(mask, tissue | mask),
            "% of tissue",
            f"{definitions[kind]} Found at 8 µm/px, on large slides coarser.",
            "tile: pyramid, detect",
        )
        for kind, mask in artefacts.items()
    }


def screen_metrics(found: ClassMap, mask: Mask) -> dict[str, Metric]:
    """Return how much of the tissue each kind of artefact covers that the stage screen found.

    Parameters
    ----------
    found
        Of the screen stage.
    mask
        Of the detect stage.
    """
    height, width = found.pixels.shape
    tissue = mask.read(0, 0, Size(width, height), scale=found.results.map_downsample)
    near = within_reach(tissue, NEAR_UM / found.results.map_mpp)
    by = f"by the model {found.results.model} at {found.results.map_mpp:.3g} µm/px."
    definitions = {
        "pen": ("Pen", "Pen on the tissue or within 200 µm of it"),
        "fold": ("Fold", "Folded tissue"),
        "bubble": ("Bubble", "Rims of air bubbles and edges of a cover slip"),
        "out_of_focus": ("Out of focus", "Tissue so far out of focus that it shows at this scale"),
    }
    parts = {name: found.where(label) & near for name, (label, _) in definitions.items()}
    return {
        f"screen_{name}_percent": Metric(
            percent_of(part, tissue | part),
            "% of tissue",
            f"{definitions[name][1]}, {by}",
            "screen, detect",
        )
        for name, part in parts.items()
    }


def stain_metrics(
    glass: Sequence[float], stains: Stains | None, staining: float | None, stain: str = ""
) -> dict[str, Metric]:
    """Return the colour of the glass, and which stains there are and how strong they are.

    Parameters
    ----------
    glass
        Red, green and blue, 0 to 255.
    stains
        None if hardly anything is stained.
    staining
        Median optical density of tissue.
    stain
        Name of the staining; H&E when empty. Only of two known stains each is measured.
    """
    return {
        "glass": Metric(
            list(glass), "RGB, 0 to 255", "Colour of the empty glass.", "tile: pyramid"
        ),
        "staining": Metric(
            staining,
            "optical density",
            "Median over tissue of the mean optical density of red, green and blue.",
            "tile: pyramid",
        ),
        **_each_stain(STAINS.get(kind_of(stain), ()), stains, None if staining is None else 0.0),
    }


def _each_stain(
    names: Sequence[str], stains: Stains | None, weak: float | None
) -> dict[str, Metric]:
    """Return strength and colour of each stain; `weak` is the strength where there is hardly any."""
    method = "by Macenko et al. 2009 from windows of tissue"
    strengths = (weak, weak) if stains is None else (stains.first, stains.second)
    vectors = (None, None) if stains is None else (stains.first_vector, stains.second_vector)
    which = ", the stain that absorbs more red,", ""
    return {
        name.lower(): Metric(
            strength,
            "optical density",
            f"Strength of the {name}: 99th percentile of its amount, {method}.",
            "tile: pyramid",
        )
        for name, strength in zip(names, strengths, strict=False)
    } | {
        f"{name.lower()}_vector": Metric(
            None if vector is None else list(vector),
            "RGB, length 1",
            f"Optical density of pure {name}{note} {method}.",
            "tile: pyramid",
        )
        for name, vector, note in zip(names, vectors, which, strict=False)
    }
