from __future__ import annotations

import numpy as np

from lds_path.geometry import Size
from lds_path.unwarp.blend import unwarp
from lds_path.unwarp.round_trip import lattice_labels, lattice_shares


def uniform(width, height):
    axes = [(np.arange(count) + 0.5) / count * 2 - 1 for count in (width, height)]
    return np.stack(np.meshgrid(*axes), axis=-1).astype(np.float32)


def make_labels(seed, shape):
    return np.random.default_rng(seed).integers(0, 3, shape).astype(np.uint8)


def test_on_a_uniform_grid_shares_are_those_of_equal_boxes():
    labels = make_labels(0, (32, 48))
    shares = lattice_shares(labels, uniform(6, 4), 3)
    boxes = labels.reshape(4, 8, 6, 8)
    for value in range(3):
        np.testing.assert_allclose(shares[value], (boxes == value).mean(axis=(1, 3)), atol=1e-6)


def test_one_sample_a_pixel_gives_the_labels_back():
    labels = make_labels(1, (16, 24))
    assert (lattice_labels(labels, uniform(24, 16)) == labels).all()
    shares = lattice_shares(labels, uniform(24, 16), 3)
    found = unwarp(shares, uniform(24, 16), Size(24, 16)).argmax(axis=0)
    np.testing.assert_array_equal(found, labels)


def test_shares_are_of_what_is_known():
    labels = np.full((8, 8), 255, np.uint8)
    labels[:4, :2] = 1
    shares = lattice_shares(labels, uniform(2, 2), 3)
    assert shares[:, 0, 0].tolist() == [0, 1, 0]
    assert not shares[:, :, 1].any()
    assert not shares[:, 1].any()


def test_samples_closer_than_a_pixel_read_one_pixel_each():
    labels = make_labels(2, (8, 8))
    shares = lattice_shares(labels, uniform(32, 32) * 0.1, 3)
    np.testing.assert_allclose(shares.sum(axis=0), 1)


def test_samples_on_the_edges_stay_inside():
    labels = make_labels(3, (8, 8))
    corners = np.array([[[-1, -1], [1, -1]], [[-1, 1], [1, 1]]], np.float32)
    found = lattice_labels(labels, corners)
    assert found.tolist() == [labels[0, [0, -1]].tolist(), labels[-1, [0, -1]].tolist()]
