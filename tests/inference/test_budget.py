import pytest

from lds_path.errors import UsageError
from lds_path.geometry import Region, Size
from lds_path.inference.budget import Budget, parse_budget


def regions(*sizes):
    return [Region(index, 0, 0, size, Size(8, 8)) for index, size in enumerate(sizes)]


def test_uniform_is_no_budget():
    assert parse_budget("uniform") is None


def test_a_number_is_the_mean_side_of_the_lattices():
    assert parse_budget("128") == Budget(128.0, per_mm2=False)
    assert parse_budget("128").samples(regions(Size(64, 64), Size(64, 64)), 1.0) == 2 * 128**2


def test_the_side_is_that_of_the_longer_side_of_a_region():
    assert parse_budget("72").samples(regions(Size(2112, 1408)), 1.0) == 72 * 48


def test_samples_per_mm2_count_the_tissue():
    assert parse_budget("20000/mm2").samples(regions(Size(64, 64)), 1.5) == 30_000


def test_seconds_are_those_of_a_slide_or_of_its_tissue():
    assert parse_budget("30s") == Budget(30.0, per_mm2=False, in_seconds=True)
    assert parse_budget("30s").seconds(1.5) == 30
    assert parse_budget("0.2s/mm2").seconds(1.5) == pytest.approx(0.3)


@pytest.mark.parametrize(
    "text",
    ["", "0", "0s", "s", "30m", "30 s", "99999999s", "-3", "half", "20000/cm2", "1e3", "inf"],
)
def test_any_other_budget_is_refused(text):
    with pytest.raises(UsageError, match=r"budget .* is unknown; expected `uniform`"):
        parse_budget(text)
