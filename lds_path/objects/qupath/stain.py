"""How QuPath takes a slide apart into its stains, by the name of its staining."""

from __future__ import annotations

from lds_path.pixels.stain_names import kind_of

_TYPES = {"": "", "H&E": "BRIGHTFIELD_H_E", "DAB": "BRIGHTFIELD_H_DAB"}


def image_type(stain: str) -> str:
    """Return the type of QuPath's images for a stain: H&E and DAB have stain vectors of their own.

    Empty if no stain is stated, so that QuPath asks instead of taking a PAS slide apart as H&E.
    """
    return _TYPES.get(kind_of(stain), "BRIGHTFIELD_OTHER")
