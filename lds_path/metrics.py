"""The metrics of one slide by name, in the order of the page, and the limits of its verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lds_path.quality import Limit, Metric, share_percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lds_path.classes import LabelClass

AREA, SHARE, CONFIDENCE = "area_mm2.", "tissue_percent.", "confidence."
"""Prefixes of the metrics that each class has; the class's name follows."""


def slide_metrics(tile: Mapping[str, Any], focus: float | None) -> dict[str, Metric]:
    """Return what the slide itself is like.

    Parameters
    ----------
    tile
        Results of the tile stage.
    focus
        See `quality.focus`.
    """
    return {
        "mpp": Metric(
            tile["mpp"],
            "µm/px",
            "Size of a working pixel: the finest pixels that the analysis reads.",
            "tile",
        ),
        "slide_mpp": Metric(
            tile["slide_mpp"], "µm/px", "Size of a pixel of the slide's finest level.", "tile"
        ),
        "mpp_source": Metric(
            tile["mpp_source"],
            "",
            "Where the pixel size comes from: sample sheet, file metadata or TIFF tags.",
            "tile",
        ),
        "focus": Metric(
            focus,
            "grey²",
            "Sharpness: variance of the Laplacian of the grey values 0 to 255 (Pech-Pacheco et"
            " al. 2000), median of crops of tissue at the level nearest to 0.5 µm/px.",
            "tile: pyramid",
        ),
        "glass_colour": Metric(
            tile["background"], "grey 0 to 255", "Brightness of the empty glass.", "tile"
        ),
        "unreadable_tiles": Metric(
            tile["unreadable_tiles"],
            "tiles",
            "Tiles of the slide file that could not be decoded and were read as glass.",
            "tile",
        ),
    }


def tissue_metrics(
    detect: Mapping[str, Any], tissue: NDArray[np.bool_], labels: NDArray[np.uint8]
) -> dict[str, Metric]:
    """Return how much tissue there is and how much of it has a label.

    Parameters
    ----------
    detect
        Results of the detect stage.
    tissue, labels
        On the same pixels, (H, W).
    """
    analysed = share_percent(labels > 0, tissue)
    return {
        "tissue_mm2": Metric(
            detect["tissue_mm2"], "mm²", "Area of the tissue that was found.", "detect"
        ),
        "pieces": Metric(detect.get("pieces"), "pieces", "Separate pieces of tissue.", "detect"),
        "analysed_percent": Metric(
            analysed, "% of tissue", "Tissue that has the label of a class.", "detect, stitch"
        ),
    }


def class_metrics(
    stitch: Mapping[str, Any],
    classes: Sequence[LabelClass],
    tissue: NDArray[np.bool_],
    labels: NDArray[np.uint8],
) -> dict[str, Metric]:
    """Return area, share of tissue and confidence of each class.

    Parameters
    ----------
    stitch
        Results of the stitch stage.
    classes
        Classes of the label image.
    tissue, labels
        On the same pixels, (H, W).
    """
    pixel_mm2 = (stitch["mpp"] / 1000) ** 2
    found: dict[str, Metric] = {}
    for each in classes:
        area = stitch["pixels"].get(each.name, 0) * pixel_mm2
        found[AREA + each.name] = Metric(
            area, "mm²", f"Area labelled {each.name}: label pixels times pixel area.", "stitch"
        )
        found[SHARE + each.name] = Metric(
            share_percent(labels == each.value, tissue),
            "% of tissue",
            f"Share of the tissue labelled {each.name}.",
            "detect, stitch",
        )
        found[CONFIDENCE + each.name] = Metric(
            stitch.get("mean_confidence", {}).get(each.name),
            "0 to 1",
            f"Mean probability of {each.name} where it is the label.",
            "stitch",
        )
    return found


def confidence_metrics(
    confidence: NDArray[np.float32], tissue: NDArray[np.bool_], min_confidence: float
) -> dict[str, Metric]:
    """Return how sure the model is of the tissue.

    Parameters
    ----------
    confidence
        Probability of the likeliest class, (H, W); NaN where nothing was analysed.
    tissue
        On the same pixels, (H, W).
    min_confidence
        Below it the model counts as unsure.
    """
    known = tissue & ~np.isnan(confidence)
    mean = float(confidence[known].mean(dtype=np.float64)) if known.any() else None
    unsure = np.nan_to_num(confidence, nan=1.0) < min_confidence
    return {
        "confidence": Metric(
            mean, "0 to 1", "Mean probability of the likeliest class over the tissue.", "stitch"
        ),
        "uncertain_percent": Metric(
            share_percent(unsure, known),
            "% of tissue",
            f"Tissue where the likeliest class has a probability below {min_confidence:g}, averaged"
            " over about 8 µm.",
            "stitch",
        ),
    }


def sampler_metrics(
    samples: int, pitch_ranges_um: Sequence[tuple[float, float]], tissue_mm2: float
) -> dict[str, Metric]:
    """Return where the sampler put its samples.

    Parameters
    ----------
    samples
        Samples of all regions.
    pitch_ranges_um
        Smallest and largest distance between neighbouring samples, one pair a region.
    tissue_mm2
        Area of the tissue.
    """
    lowest = min((low for low, _ in pitch_ranges_um), default=None)
    highest = max((high for _, high in pitch_ranges_um), default=None)
    return {
        "regions": Metric(
            len(pitch_ranges_um), "regions", "Regions that were segmented.", "segment"
        ),
        "samples": Metric(samples, "samples", "Lattice points of all regions.", "segment"),
        "samples_per_mm2": Metric(
            samples / tissue_mm2 if tissue_mm2 else None,
            "samples/mm²",
            "Samples of all regions per area of tissue.",
            "segment, detect",
        ),
        "pitch_min_um": Metric(
            lowest, "µm", "Smallest distance between neighbouring samples.", "segment"
        ),
        "pitch_max_um": Metric(
            highest, "µm", "Largest distance between neighbouring samples.", "segment"
        ),
    }


def verdict_limits(parameters: Mapping[str, float]) -> list[Limit]:
    """Return the limits of the verdict from the parameters `warn_*` and `fail_*`."""
    words = {
        "tissue_mm2": "only {value} mm² of tissue was found (limit {limit} mm²)",
        "analysed_percent": "only {value} % of the tissue was analysed (limit {limit} %)",
        "uncertain_percent": "the model is unsure about {value} % of the tissue (limit {limit} %)",
        "focus": "the slide is out of focus: sharpness {value} (limit {limit})",
        "unreadable_tiles": "{value} tiles of the file are unreadable (limit {limit})",
    }
    return [
        Limit(
            name,
            warn=parameters[f"warn_{name}"],
            fail=parameters[f"fail_{name}"],
            words=text,
            low_is_bad=name not in ("uncertain_percent", "unreadable_tiles"),
        )
        for name, text in words.items()
    ]
