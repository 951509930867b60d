"""The metrics of a slide's analysis by name: tissue, classes, confidence, seams, samples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from lds_path.quality.borders import REACH_UM
from lds_path.quality.metrics.metric import AREA, CONFIDENCE, SHARE, Metric, percent_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lds_path.classes import LabelClass
    from lds_path.formats.results import DetectResults, StitchResults
    from lds_path.geometry import Region
    from lds_path.quality.borders import BorderShare
    from lds_path.quality.picture_scale import Pitch
    from lds_path.quality.seams import Seams

_MIN_PITCH_UM = 1e-3


def tissue_metrics(
    detect: DetectResults, tissue: NDArray[np.bool_], labels: NDArray[np.uint8]
) -> dict[str, Metric]:
    """Return how much tissue there is and how much of it has a label.

    Parameters
    ----------
    detect
        Results of the detect stage.
    tissue, labels
        On the same pixels, (H, W).
    """
    analysed = percent_of(labels > 0, tissue)
    return {
        "tissue_mm2": Metric(
            detect.tissue_mm2, "mm²", "Area of the tissue that was found.", "detect"
        ),
        "pieces": Metric(detect.pieces, "pieces", "Separate pieces of tissue.", "detect"),
        "analysed_percent": Metric(
            analysed, "% of tissue", "Tissue that has the label of a class.", "detect, stitch"
        ),
    }


def class_metrics(
    stitch: StitchResults,
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
    pixel_mm2 = (stitch.mpp / 1000) ** 2
    pixels = [stitch.pixels.get(label_class.name, 0) for label_class in classes]
    several = len(classes) > 1 and sum(pixels) > 0
    metrics = {
        "largest_class_percent": Metric(
            100 * max(pixels) / sum(pixels) if several else None,
            "% of labels",
            "Share of the largest class in the label pixels; where it is all of them, the model told"
            " nothing apart.",
            "stitch",
        )
    }
    for label_class in classes:
        name = label_class.name
        area = stitch.pixels.get(name, 0) * pixel_mm2
        metrics[AREA + name] = Metric(
            area, "mm²", f"Area labelled {name}: label pixels times pixel area.", "stitch"
        )
        metrics[SHARE + name] = Metric(
            percent_of(labels == label_class.value, tissue),
            "% of tissue",
            f"Share of the tissue labelled {name}.",
            "detect, stitch",
        )
        metrics[CONFIDENCE + name] = Metric(
            stitch.mean_confidence.get(name),
            "0 to 1",
            f"Mean probability of {name} where it is the label.",
            "stitch",
        )
    return metrics


def confidence_metrics(
    confidence: NDArray[np.float32], tissue: NDArray[np.bool_], min_confidence: float
) -> dict[str, Metric]:
    """Return the model's confidence over the tissue.

    Parameters
    ----------
    confidence
        Probability of the likeliest class, (H, W); NaN where nothing was analysed.
    tissue
        On the same pixels, (H, W).
    min_confidence
        Below it, the model counts as unsure.
    """
    known = tissue & ~np.isnan(confidence)
    mean = float(confidence[known].mean(dtype=np.float64)) if known.any() else None
    unsure = np.nan_to_num(confidence, nan=1.0) < min_confidence
    return {
        "confidence": Metric(
            mean, "0 to 1", "Mean probability of the likeliest class over the tissue.", "stitch"
        ),
        "uncertain_percent": Metric(
            percent_of(unsure, known),
            "% of tissue",
            f"Tissue where the likeliest class has a probability below {min_confidence:g}, averaged"
            " over about 8 µm.",
            "stitch",
        ),
    }


def seam_metrics(seams: Seams) -> dict[str, Metric]:
    """Return how well the regions fit together."""
    return {
        "seam_index": Metric(
            seams.index,
            "ratio",
            "Disagreement of two regions in their overlap over the tissue that lies a sample's"
            " distance from a border of the labels: below 1 regions disagree about no more than the"
            " exact course of borders. From up to 20 overlaps.",
            "stitch, segment",
        ),
        "seam_disagreement_percent": Metric(
            seams.disagreement_percent,
            "% of overlaps",
            "Tissue in overlaps to which the two regions, before blending, give different classes."
            " From up to 20 overlaps.",
            "segment",
        ),
    }


def sampler_metrics(
    regions: Sequence[Region], pitch: Pitch, mpp: float, tissue_mm2: float
) -> dict[str, Metric]:
    """Return how many samples there are and how close together.

    Parameters
    ----------
    regions, pitch
        Of one slide.
    mpp
        Microns per working pixel.
    tissue_mm2
        Area of the tissue.
    """
    samples = sum(region.lattice.area for region in regions)
    lows, highs = zip(*pitch.ranges_um, strict=True) if pitch.ranges_um else ((), ())
    uniform_pitches = [
        mpp * math.sqrt(region.size.area / region.lattice.area) for region in regions
    ]
    zooms = [
        (uniform / high, uniform / max(low, _MIN_PITCH_UM))
        for uniform, low, high in zip(uniform_pitches, lows, highs, strict=True)
    ]
    return {
        "regions": Metric(len(regions), "regions", "Regions that were segmented.", "segment"),
        "samples": Metric(samples, "samples", "Lattice points of all regions.", "segment"),
        "samples_per_mm2": Metric(
            samples / tissue_mm2 if tissue_mm2 else None,
            "samples/mm²",
            "Samples of all regions per area of tissue.",
            "segment, detect",
        ),
        "pitch_min_um": Metric(
            min(lows, default=None),
            "µm",
            "Smallest distance between neighbouring samples.",
            "segment",
        ),
        "pitch_max_um": Metric(
            max(highs, default=None),
            "µm",
            "Largest distance between neighbouring samples.",
            "segment",
        ),
        "zoom_min": Metric(
            min((low for low, _ in zooms), default=None),
            "times",
            "Least zoom: distance of samples in the uniform grid over the largest distance.",
            "segment",
        ),
        "zoom_max": Metric(
            max((high for _, high in zooms), default=None),
            "times",
            "Largest zoom: distance of samples in the uniform grid over the smallest distance.",
            "segment",
        ),
    }


def border_metrics(share: BorderShare) -> dict[str, Metric]:
    """Return how many samples lie on borders, beside how many the uniform grid would put there."""
    samples, area = share.samples_percent, share.area_percent
    return {
        "border_samples_percent": Metric(
            samples,
            "% of samples",
            f"Samples in tissue that lie within {REACH_UM:g} µm of a border: between classes, or of"
            " the tissue. From up to 16 regions.",
            "segment, stitch",
        ),
        "border_area_percent": Metric(
            area,
            "% of tissue",
            "Tissue as near to a border: the share of the samples of the uniform grid.",
            "stitch",
        ),
        "border_gain": Metric(
            samples / area if samples is not None and area else None,
            "times",
            "How many times more samples lie on borders than with the uniform grid.",
            "segment, stitch",
        ),
    }
