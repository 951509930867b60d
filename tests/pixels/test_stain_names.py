from __future__ import annotations

import pytest

from lds_path.pixels.stain_names import kind_of


@pytest.mark.parametrize(
    ("stain", "kind"),
    [
        ("", ""),
        (" ", ""),
        ("H&E", "H&E"),
        ("haematoxylin and eosin", "H&E"),
        ("HES", "other"),
        ("PAS", "PAS"),
        ("PAS-D", "PAS"),
        ("Periodic acid-Schiff", "PAS"),
        ("PAS-H&E", "other"),
        ("Ki-67 IHC", "DAB"),
        ("H-DAB", "DAB"),
        ("Masson trichrome", "other"),
    ],
)
def test_a_staining_is_known_by_the_names_that_people_write(stain, kind):
    assert kind_of(stain) == kind
