"""The same numbers with threads, with processes, and on a cluster."""

import importlib.util
import re
import subprocess
import sys

import dask
import numpy as np
import pandas as pd
import pytest
from dask.distributed import Client, LocalCluster
from scipy.ndimage import distance_transform_edt
from snakemake_run import REPOSITORY

import lds_path as lds

EXAMPLE = REPOSITORY / "docs/class_borders.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("class_borders", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def numbers_of(result):
    """Return lazy numbers of every image of a result."""
    finest = result.probabilities.levels[0]
    return [
        finest.sum(axis=(1, 2), dtype=np.float64),
        (finest.argmax(axis=0) == 1).sum(),
        dask.array.coarsen(np.mean, result.pyramid.levels[1], {1: 2, 2: 2}, trim_excess=True).std(),
        (result.labels.levels[0] == 2).sum(),
        result.confidence.levels[0].mean(),
        result.density.levels[0].max(),
    ]


def test_threads_and_processes_give_the_same_numbers(results):
    opened = [lds.open_result(results.folder, slide) for slide in results.slides[:2]]
    lazy = [numbers_of(result) for result in opened]
    (threads,) = dask.compute(lazy, scheduler="threads", num_workers=2)
    (processes,) = dask.compute(lazy, scheduler="processes", num_workers=2)
    for one, other in zip(threads, processes, strict=True):
        for mine, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(mine, same)


def test_the_example_gives_the_same_areas_in_one_process_and_on_a_cluster(results, example):
    asked = {"around": "Tumor", "within_um": 30.0, "mpp": 0.5}
    slides = list(results.slides)
    alone = example.measure_borders(str(results.folder), slides, **asked)
    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster, Client(cluster) as client:
        client.upload_file(str(EXAMPLE))
        shared = example.measure_borders(str(results.folder), slides, **asked)
    pd.testing.assert_frame_equal(alone, shared, check_exact=True)
    assert list(alone.index) == slides
    for slide in slides:
        labels = lds.open_result(results.folder, slide).labels.levels[0].compute()
        near = distance_transform_edt(labels != 2) <= 60
        expected = [((labels == value) & near).sum() * 0.5e-3**2 for value in (1, 2)]
        np.testing.assert_allclose(alone.loc[slide, ["Stroma", "Tumor"]], expected)


def test_the_example_prints_a_table(results):
    command = [sys.executable, EXAMPLE, results.folder, "case-1", "--around", "Tumor"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Stroma" in run.stdout
    assert "case-1" in run.stdout


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_the_examples_in_the_documents_run(results, monkeypatch, page):
    blocks = re.findall(
        r"^```python\n(.*?)^```$", (REPOSITORY / page).read_text(), re.MULTILINE | re.DOTALL
    )
    opened = next(block for block in blocks if "open_result(" in block)
    lines = [line for line in opened.splitlines() if "scans/" not in line]  # there are none here
    used = [block for block in blocks if "probabilities" in block and block != opened]
    monkeypatch.chdir(results.folder.parent)
    names = {}
    exec("\n".join([*lines, *used]), names)  # noqa: S102 - our own pages
    assert names["result"].name == "case-1"


def test_the_command_line_starts_without_dask():
    code = "import sys, lds_path, lds_path.cli; print({'dask', 'numpy'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
