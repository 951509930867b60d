"""Which pieces of a label image become objects, and how exact their outlines are."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lds_path.objects.simplify import FINENESS

COARSEST = 1 / 4
"""Largest fineness: beyond it, an outline does not resemble its piece any more."""


@dataclass(frozen=True)
class Style:
    """Which pieces become objects, and how exact their outlines are."""

    tolerance_um: float
    min_object_um2: float
    max_hole_um2: float
    annotation_um2: float
    fineness: float = FINENESS
    """Largest deviation of an outline, as a fraction of the extent of each border."""

    def coarser(self, mpp: float) -> Style:
        """Return a style with fewer vertices.

        Outlines deviate twice as far, by a pixel at least. The sizes below which objects and holes
        are left out double only when short borders are as coarse as allowed: many small objects
        have too many vertices, however large the tolerance is.
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
