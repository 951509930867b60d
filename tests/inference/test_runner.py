from __future__ import annotations

import torch

from lds_path.geometry import Region, Size
from lds_path.inference.batches import batches_of, cpu_batch_size, in_order
from lds_path.inference.runner import Runner
from lds_path.network.segmenter import Segmenter
from lds_path.network.spec import NetworkSpec


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


def test_a_thread_takes_several_regions_only_of_small_lattices():
    sizes = [cpu_batch_size(Size(side, side)) for side in (32, 64, 128, 256, 8192)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 1
    assert sizes[-2:] == [1, 1]


def test_predictions_are_brought_into_the_order_of_the_regions():
    regions = make_regions(6)[1::2]

    class Done:
        def __init__(self, region):
            self.region = region

    shuffled = [Done(regions[index]) for index in (2, 0, 1)]
    assert [one.region for one in in_order(shuffled, regions)] == regions


def test_the_mean_over_flips_is_flipped_with_the_samples():
    torch.manual_seed(1)
    spec = NetworkSpec(class_count=2, channels=(4, 8), density_channels=(4, 8))
    segmenter = Segmenter(spec).eval()
    samples, context = 255 * torch.rand(1, 3, 16, 16), torch.rand(1, 5, 16, 16)

    def predict(flips, axes=()):
        runner = Runner(segmenter, None, torch.device("cpu"), 1, 1, flips)
        return runner._predict(samples.flip(axes), (context.flip(axes),))

    with torch.inference_mode():
        for axes in ((2,), (3,), (2, 3)):
            torch.testing.assert_close(predict(True, axes).flip(axes), predict(True))
            assert not torch.allclose(predict(False, axes).flip(axes), predict(False), atol=1e-4)
        torch.testing.assert_close(predict(True).sum(dim=1), torch.ones(1, 16, 16))


def test_the_prediction_of_several_networks_is_their_mean():
    torch.manual_seed(1)
    spec = NetworkSpec(class_count=2, channels=(4, 8), density_channels=(4, 8))
    first, second = (Segmenter(spec).eval() for _ in range(2))
    samples, contexts = 255 * torch.rand(1, 3, 16, 16), tuple(torch.rand(2, 1, 5, 16, 16))

    def predict(contexts, segmenter, *others):
        runner = Runner(segmenter, None, torch.device("cpu"), 1, 1, others=others)
        return runner._predict(samples, contexts)

    with torch.inference_mode():
        both = predict(contexts, first, second)
        alone = predict(contexts[:1], first), predict(contexts[1:], second)
    assert not torch.allclose(*alone, atol=1e-4)
    torch.testing.assert_close(both, (alone[0] + alone[1]) / 2)
