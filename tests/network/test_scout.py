from __future__ import annotations

import pytest
import torch

from lds_path.errors import UsageError
from lds_path.geometry import Region, Size
from lds_path.network.grid import uniform_grid
from lds_path.network.motion import identity_motion, move_image, with_margin
from lds_path.network.scout import Scout, read_context
from lds_path.network.spec import NetworkSpec, check_sizes, lattices_on, levels_around, levels_of

SMALL = {
    "class_count": 2, "channels": (8, 16), "density_channels": (4, 8), "view_level": 2,
    "shared_features": True,
}  # fmt: skip
LATTICE = Size(8, 8)


def make_scout(**changes):
    torch.manual_seed(1)
    scout = Scout(NetworkSpec(**SMALL | changes)).eval()
    torch.nn.init.normal_(scout.density.head.weight)
    return scout


def make_view(side):
    torch.manual_seed(2)
    return torch.randint(0, 255, (2, 3, side, side), dtype=torch.uint8)


@pytest.mark.parametrize("density_network", ["context", "local"])
def test_maps_are_of_the_region_without_the_margin(density_network):
    scout = make_scout(view_margin=16, ladder=(8, 16), density_network=density_network)
    with torch.no_grad():
        found = scout.sample(make_view(16 + 8), LATTICE)
    assert found.density.shape == (2, 1, 8, 8)
    assert found.density.mean(dim=(1, 2, 3)) == pytest.approx([1, 1], abs=1e-5)
    assert found.features.shape[2:] == (8, 8)
    assert scout.predict_errors(make_view(16 + 8)).shape == (2, 2, 8, 8)


def test_what_lies_in_the_margin_is_seen():
    scout = make_scout(view_margin=16)
    view = make_view(16 + 8)
    other = view.clone()
    other[..., :2, :] = 0
    assert not torch.equal(
        scout.sample(view, LATTICE).density, scout.sample(other, LATTICE).density
    )


def test_absolute_pitch_counts_cells_and_grows_with_the_lattice():
    features = torch.zeros(1, 3, 16, 16)
    for side, expected in ((16, 0.0), (8, 1.0), (32, -1.0)):
        grid = uniform_grid(Size(side, side), torch.zeros(()))
        context = read_context(features, grid, absolute=True)
        assert context[:, 3] == pytest.approx(torch.full((1, side, side), expected).numpy())


def test_features_are_averaged_where_samples_are_sparser_than_cells():
    features = torch.zeros(1, 1, 16, 16)
    features[..., ::2] = 2.0  # columns that alternate faster than 4 samples can follow
    grid = uniform_grid(Size(4, 4), torch.zeros(()))
    found = read_context(features, grid, absolute=True)[:, 0]
    assert found == pytest.approx(torch.ones(1, 4, 4).numpy())


def test_a_view_with_margin_is_moved_about_the_same_place():
    torch.manual_seed(0)
    wide = torch.rand(1, 1, 48, 64)
    inner = wide[..., 8:40, 16:48]  # 32 x 32
    motion = torch.tensor([[[0.0, -0.8, 0.1], [0.8, 0.0, -0.05]]])
    moved = move_image(wide, with_margin(motion, (32 / 64, 32 / 48)))[..., 8:40, 16:48]
    expected = move_image(inner, motion)
    inside = move_image(torch.ones_like(inner), motion) > 0  # reflection fills the rest
    assert inside.all()
    middle = (slice(None), slice(None), slice(8, 24), slice(8, 24))
    torch.testing.assert_close(moved[middle], expected[middle], atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(with_margin(identity_motion(2), (0.5, 0.7)), identity_motion(2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"view_margin": 12}, "view_margin is 12, expected a multiple of 8"),
        ({"view_margin": -8}, "view_margin is -8"),
        ({"ladder": (8, 8)}, r"ladder is \[8, 8\], expected increasing"),
        ({"ladder": (0, 8)}, "ladder is 0, expected a whole number from 1 to 8192"),
    ],
)
def test_a_margin_or_ladder_that_cannot_be_is_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        NetworkSpec(**SMALL | changes)


def test_a_ladder_the_network_cannot_halve_is_refused():
    region = Region(3, 0, 0, Size(64, 64), Size(8, 8))
    with pytest.raises(UsageError, match=r"ladder's lattice 9 x 9, .* multiples of 2; .*`ladder`"):
        check_sizes([region], NetworkSpec(**SMALL | {"ladder": (8, 9)}))


def test_a_rung_counts_samples_along_the_longer_side():
    assert lattices_on((72, 36), Size(2112, 1408)) == [Size(72, 48), Size(36, 24)]


def test_levels_of_a_ladder_serve_every_lattice():
    size, lattices = Size(2048, 2048), [Size(64, 64), Size(512, 512)]
    wanted = levels_of(size, lattices)
    assert all(set(levels_around(size, one)) <= set(wanted) for one in lattices)


def test_no_level_is_asked_for_that_a_region_does_not_fit():
    assert levels_around(Size(352, 352), Size(8, 8)) == range(3, 6)
    assert levels_around(Size(96, 96), Size(2, 2)) == range(3, 6)
