from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from small_slides import LATTICE, REGION, ArrayPyramid, make_regions, paint

from lds_path.geometry import Size
from lds_path.learning.augmentation import move
from lds_path.learning.data.batches import Batch, training_batches
from lds_path.learning.data.label_counts import count_labels
from lds_path.learning.data.labelled_regions import (
    LabelledRegion,
    RegionCache,
    margin_around,
    read_labelled,
)
from lds_path.learning.recipe import Augmentation
from lds_path.network.spec import NetworkSpec, lattices_on, levels_of

SPEC = NetworkSpec(2, shared_features=False)


class ArrayReference:
    def __init__(self, labels):
        self.labels = np.pad(labels, ((0, 2 * REGION), (0, 2 * REGION)))

    def read(self, left, top, size, *, step=1):
        half = step // 2
        window = self.labels[top : top + size.height, left : left + size.width]
        return np.ascontiguousarray(window[half::step, half::step])


@pytest.fixture(scope="module")
def labelled():
    rgb, labels = paint(0)
    pyramid, reference = ArrayPyramid(rgb), ArrayReference(labels)
    return [
        LabelledRegion("slide", pyramid, reference, region)
        for region in make_regions(Size(1000, 600))
    ]


def test_labels_become_area_shares_of_the_same_levels(labelled):
    batch = read_labelled(labelled[0], SPEC)
    assert [level.shape[-1] for level in batch.levels] == [128, 64, 32, 16]
    assert [level.shape[1:] for level in batch.fractions] == [(2, n, n) for n in (128, 64, 32, 16)]
    labels = torch.from_numpy(labelled[0].reference.read(0, 0, Size(REGION, REGION)))
    dark = torch.nn.functional.avg_pool2d((labels == 2).float()[None, None], 32) * 255
    assert (batch.fractions[-1][:, 1:].float() - dark).abs().max() <= 1
    assert batch.view.shape == (1, 3, 32, 32)
    assert batch.edges.shape == (1, 1, 16, 16)


@pytest.mark.parametrize("turn", range(8))
def test_turning_a_batch_turns_everything_alike(labelled, turn):
    batch = read_labelled(labelled[0], SPEC).oriented(turn)
    # Dark pixels stay dark: image and labels agree wherever they are turned to.
    dark = batch.fractions[0][0, 1] == 255
    pale = batch.fractions[0][0, 0] == 255
    brightness = batch.levels[0][0].float().mean(dim=0)
    assert brightness[dark].max() < brightness[pale].min()
    small = torch.nn.functional.avg_pool2d(batch.levels[0].float(), 4)
    assert (small - batch.view.float()).abs().max() <= 2


def test_the_eight_turns_differ(labelled):
    views = [read_labelled(labelled[0], SPEC).oriented(turn).view for turn in range(8)]
    assert all(not torch.equal(a, b) for i, a in enumerate(views) for b in views[:i])


def test_joined_batches_keep_their_order(labelled):
    batches = [read_labelled(one, SPEC) for one in labelled[:3]]
    joined = Batch.join(batches)
    for item, batch in enumerate(batches):
        assert torch.equal(joined.view[item], batch.view[0])
        assert torch.equal(joined.fractions[2][item], batch.fractions[2][0])


@pytest.mark.parametrize("mib", [0, 1, 1000])
def test_a_cache_changes_nothing_but_the_time(labelled, mib):
    cache = RegionCache(labelled, SPEC, mib=mib)
    for index in (0, 1, 0, 2, 1):
        assert torch.equal(cache.read(index).view, read_labelled(labelled[index], SPEC).view)
    assert len(cache._kept) == {0: 0, 1: 3, 1000: 3}[mib] or mib == 1
    assert sum(batch.bytes for batch in cache._kept.values()) <= mib * 2**20


def test_a_region_cut_out_of_a_larger_one_is_the_region_that_lies_there(labelled):
    margin = margin_around(labelled[0].region, SPEC, 0.5)
    first = next(one for one in labelled if min(one.region.left, one.region.top) >= margin)
    wide = read_labelled(first, SPEC, margin=margin)
    region, cell = first.region, SPEC.region_multiple
    assert margin > 0
    assert margin % cell == 0
    cells = Size(region.size.width // cell, region.size.height // cell)
    for x, y in ((margin // cell, margin // cell), (0, 2 * margin // cell)):
        there = replace(
            region,
            left=region.left - margin + x * cell,
            top=region.top - margin + y * cell,
        )
        found = wide.cut_out(x, y, cells)
        expected = read_labelled(replace(first, region=there), SPEC)
        assert torch.equal(found.view, expected.view)
        assert all(map(torch.equal, found.levels, expected.levels))
        assert all(map(torch.equal, found.fractions, expected.fractions))
        assert torch.equal(found.labelled, expected.labelled)


@pytest.mark.parametrize("threads", [1, 3])
def test_batches_depend_on_seed_and_step_alone(labelled, threads):
    chances = np.full(len(labelled), 1 / len(labelled))

    def lattices(_step, _size):
        return [labelled[0].region.lattice]

    def draw(threads, seed=5, steps=range(4)):
        cache = RegionCache(labelled, SPEC, mib=1)
        plan = {"batch_size": 2, "seed": seed, "threads": threads}
        plan |= {
            "move": partial(move, augmentation=Augmentation(0.5, 0.5)),
            "lattices": lattices,
        }
        batches = training_batches(cache, chances, steps=steps, **plan)
        return [batch.levels[1] for batch in batches]

    expected = draw(1)
    assert all(map(torch.equal, draw(threads), expected))
    assert all(map(torch.equal, draw(threads, steps=range(2, 4)), expected[2:]))
    assert not all(map(torch.equal, draw(threads, seed=6), expected))


def test_a_batch_has_the_levels_for_its_lattices_alone(labelled):
    cache = RegionCache(labelled, replace(SPEC, ladder=(4, 32)), mib=1)
    whole = cache.read(0)
    sparse, fine = (lattices_on([side], whole.size)[0] for side in (4, 32))
    batches = training_batches(
        cache,
        np.array([1.0] + [0.0] * (len(labelled) - 1)),
        steps=range(3),
        batch_size=1,
        seed=1,
        threads=1,
        lattices=lambda step, _size: [[sparse], [fine], [sparse, fine]][step],
        move=lambda batch, _random: batch,
    )
    for batch, lattices in zip(batches, ([sparse], [fine], [sparse, fine]), strict=True):
        wanted = levels_of(whole.size, lattices)
        assert batch.first_level == wanted.start
        assert len(batch.levels) == len(batch.fractions) == len(wanted)
        assert batch.size == whole.size
    assert levels_of(whole.size, [sparse]) != levels_of(whole.size, [fine])


def test_the_pixels_of_each_label_are_counted_region_by_region(labelled):
    counted = list(count_labels(labelled, threads=2))
    assert len(counted) == len(labelled)
    for one, counts in zip(labelled, counted, strict=True):
        region = one.region
        labels = one.reference.read(region.left, region.top, region.size)
        assert counts.tolist() == np.bincount(labels.ravel(), minlength=256).tolist()


def test_lattices_of_the_tests_match_the_levels():
    assert REGION // LATTICE == 16
