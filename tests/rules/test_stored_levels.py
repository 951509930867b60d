"""Which levels a run stores follows from its model and its configuration."""

import pytest

from lds_path.network.spec import NetworkSpec
from lds_path.rules.stored_levels import finest_level

NUMBERS = {"mpp": 0.5, "region_size": 2048, "lattice": 256, "tissue_mpp": 8.0}


@pytest.mark.parametrize(
    ("changes", "spec", "level"),
    [
        ({}, {}, 2),  # a pitch of 8: level 3, and twice as close
        ({"trains": True}, {}, 1),
        ({}, {"sampler": "uniform"}, 3),
        ({}, {"max_zoom": 1.0}, 3),
        ({}, {"ladder": (128, 512)}, 1),
        ({"lattice": 2048}, {}, 0),
        ({"lattice": 16}, {}, 3),  # whatever looks at the whole slide needs 4 um
        ({"tissue_mpp": 1.0}, {}, 1),
        ({}, {"view_level": 1}, 1),
        ({"mpp": 8.0}, {}, 0),
        ({"overview": True}, {}, 3),
        ({"overview": True, "trains": True, "lattice": 2048}, {}, 3),
    ],
)
def test_the_finest_level_is_that_of_samples_twice_as_close(changes, spec, level):
    assert finest_level(NetworkSpec(2, **spec), **NUMBERS | changes) == level
