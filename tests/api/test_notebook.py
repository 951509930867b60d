"""What the notebook of the docs computes is what the arrays hold."""

from __future__ import annotations

import json

import nbformat
import numpy as np
import pandas as pd
import pytest
from notebook_run import NOTEBOOK, run_notebook

import lds_path as lds


def read_table(text):
    content = json.loads(text)
    return pd.DataFrame(content["data"], content["index"], content.get("columns"))


@pytest.fixture(scope="module")
def tables(results, tmp_path_factory):
    return run_notebook(results.folder, tmp_path_factory.mktemp("notebook"))


def test_the_areas_are_those_of_the_labels(results, tables):
    areas = read_table(tables["areas"])
    assert tuple(areas.index) == results.slides
    for slide in results.slides:
        result = lds.open_result(results.folder, slide)
        counts = np.bincount(np.asarray(result.labels.levels[0]).ravel(), minlength=3)
        expected = counts[1:] * (result.labels.mpp / 1000) ** 2
        np.testing.assert_allclose(areas.loc[slide], expected)


def test_borders_doubts_and_metrics_are_measured_for_every_slide(results, tables):
    areas, borders = (read_table(tables[name]) for name in ("areas", "borders"))
    assert tuple(borders.index) == results.slides
    assert (borders["Tumor"] > 0).all()
    assert (borders <= areas * 1.05 + 0.01).all(axis=None)  # at half the resolution or less
    doubts = json.loads(tables["doubts"])
    assert tuple(doubts["index"]) == results.slides
    assert all(0 < share < 1 for share in doubts["data"])
    assert read_table(tables["metrics"])["confidence"].between(0, 1).all()


def test_the_notebook_is_clean_as_it_is_stored():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
