from __future__ import annotations

from lds_path.geometry import Region, Size
from lds_path.inference.runner import batches_of, in_order


def make_regions(count, lattices=(16,)):
    return [
        Region(index, 0, 0, Size(64, 64), Size(*[lattices[index % len(lattices)]] * 2))
        for index in range(count)
    ]


def test_every_batch_is_full_and_every_region_counts_once():
    regions = make_regions(7)
    batches = list(batches_of(regions, 3))
    assert [len(batch) for batch, _ in batches] == [3, 3, 3]
    assert [region for batch, count in batches for region in batch[:count]] == regions
    assert batches[-1][0] == (regions[6],) * 3


def test_a_batch_holds_one_size_of_lattice():
    regions = make_regions(11, lattices=(8, 16, 32))
    batches = list(batches_of(regions, 2))
    assert all(len({region.lattice for region in batch}) == 1 for batch, _ in batches)
    counted = [region.index for batch, count in batches for region in batch[:count]]
    assert sorted(counted) == list(range(11))


def test_predictions_are_brought_into_the_order_of_the_regions():
    regions = make_regions(6)[1::2]

    class Done:
        def __init__(self, region):
            self.region = region

    shuffled = [Done(regions[index]) for index in (2, 0, 1)]
    assert [one.region for one in in_order(shuffled, regions)] == regions
