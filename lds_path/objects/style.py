"""What of a label image becomes an object, and how exact its outline is."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lds_path.objects.simplify import FINENESS

COARSEST = 1 / 4
"""Largest fineness: beyond, an outline is no picture of its piece any more."""


@dataclass(frozen=True)
class Style:
    """What becomes an object, and how exact its outline is."""

    tolerance_um: float
    min_object_um2: float
    max_hole_um2: float
    annotation_um2: float
    fineness: float = FINENESS
    """Most that an outline deviates, as a share of the extent of a border between two pieces."""

    def coarser(self, mpp: float) -> Style:
        """Return the style that makes fewer vertices.

        Outlines deviate twice as far, by a pixel at least. The sizes of what is left out double
        only when short borders are as coarse as they may be: else many small objects would have
        too many vertices however large the tolerance is.
        """
        tolerance_um = 2 * max(self.tolerance_um, mpp / 2)
        if self.fineness < COARSEST:
            return replace(self, tolerance_um=tolerance_um, fineness=2 * self.fineness)
        return replace(
            self,
            tolerance_um=tolerance_um,
            min_object_um2=2 * max(self.min_object_um2, mpp**2),
            max_hole_um2=2 * max(self.max_hole_um2, mpp**2),
        )
