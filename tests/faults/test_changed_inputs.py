"""Slides that are damaged or replaced, and times that are wrong."""

from __future__ import annotations

import os
import shutil

import numpy as np
import tifffile
from workflow_run import changes, finish, prepare

from lds_path.formats.pyramid import open_pyramid
from lds_path.options.slides import DemoOptions
from lds_path.provenance.fingerprint import sha256
from lds_path.provenance.manifest import read_manifest
from lds_path.stages.demo import demo

DAMAGED = "tile of a slide that does not decode"
REPLACED = "slide replaced under the same name"
CLOCK = "clock set back"
DAY = 86_400


def spoil_tile(slide, index):
    """Make a tile of the finest level undecodable and return its rectangle: rows, columns."""
    with tifffile.TiffFile(slide) as file:
        page = file.pages.first
        offset, count = page.dataoffsets[index], page.databytecounts[index]
        across = -(-page.imagewidth // page.tilewidth)
        top, left = index // across * page.tilelength, index % across * page.tilewidth
        rectangle = slice(top, top + page.tilelength), slice(left, left + page.tilewidth)
    with slide.open("r+b") as stream:
        stream.seek(offset)
        stream.write(b"\x5a" * count)
    return rectangle


def read_finest(folder):
    pyramid = open_pyramid(folder)
    return pyramid.read(0, 0, 0, pyramid.size).astype(int)


def test_a_tile_that_does_not_decode_is_filled_and_counted_up_to_the_limit(
    undisturbed, tmp_path, ledger
):
    ledger.inject(DAMAGED)
    prepare(tmp_path, undisturbed.painted, "a")
    rows, columns = spoil_tile(tmp_path / "slides/a/slide.tif", 14)
    whole = {"tile": {"levels": "all"}}
    output = finish(tmp_path, change={"tile": {"levels": "all", "max_unreadable_percent": 0}})
    assert "1 slides: 1 quarantined." in output
    assert "more than 0% of its tiles cannot be decoded" in output
    output = finish(tmp_path, change=whole)
    assert "1 slides: 1 done (" in output
    tile = tmp_path / "results/tile/a"
    assert read_manifest(tile).results["unreadable_tiles"] == 1
    table = (tmp_path / "results/report/cohort.tsv").read_text()
    assert "1 tiles of the file are unreadable" in table
    found, whole = read_finest(tile), read_finest(undisturbed.folder / "results/tile/a")
    spoilt = np.zeros(found.shape[:2], bool)
    spoilt[rows, columns] = True
    assert (found[spoilt] >= 240).all()
    assert (whole[spoilt] < 240).any()
    assert (found[~spoilt] == whole[~spoilt]).all()
    ledger.survive(DAMAGED)


def test_a_slide_that_an_older_one_replaced_is_analysed_again_and_no_other(
    undisturbed, undisturbed_workflow, tmp_path, ledger
):
    """By a copy that keeps its original's time, long before that of the results."""
    ledger.inject(REPLACED)
    prepare(tmp_path, undisturbed.painted)
    finish(tmp_path)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "results").rglob("a/*.json")}
    demo(tmp_path / "other", options=DemoOptions(seed=5, width=1400, height=1200))
    slide = tmp_path / "slides/b/slide.tif"
    shutil.copy(tmp_path / "other/slide.tif", slide)
    os.utime(slide, (0, 0))
    output = finish(tmp_path)
    assert "2 slides: 2 done (" in output
    read = read_manifest(tmp_path / "results/tile/b").inputs["slide"]
    assert read["sha256"] == sha256(slide)
    assert changes(tmp_path, undisturbed_workflow) != []
    assert {path: path.stat().st_mtime_ns for path in times} == times
    os.utime(slide)
    os.utime(tmp_path / "slides/a/slide.tif")
    assert "Nothing to be done" in finish(tmp_path)
    shutil.copy(undisturbed.painted / "slide.tif", slide)
    os.utime(slide, (0, 0))
    finish(tmp_path)
    assert changes(tmp_path, undisturbed_workflow) == []
    ledger.survive(REPLACED, identical=1)


def test_a_run_whose_clock_was_set_back_finishes_with_the_same_results(
    undisturbed, undisturbed_workflow, tmp_path, ledger
):
    """The results of the first stages come from tomorrow."""
    ledger.inject(CLOCK)
    prepare(tmp_path, undisturbed.painted)
    finish(tmp_path, "--until", "detect")
    for path in (tmp_path / "results").rglob("*"):
        now = path.stat().st_mtime
        os.utime(path, (now + DAY, now + DAY))
    output = finish(tmp_path)
    assert "results are from the future" in output
    assert "2 slides: 2 done (" in output
    assert changes(tmp_path, undisturbed_workflow) == []
    assert "Nothing to be done" in finish(tmp_path)
    ledger.survive(CLOCK, identical=1)
