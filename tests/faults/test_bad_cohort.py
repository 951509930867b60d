"""One slide in seven cannot be analysed: the others are done, and the last lines name it."""

from __future__ import annotations

import re

import pandas as pd
from bad_cohort import BAD, SLIDES, write_cohort
from workflow_run import finish

KIND = "slide that cannot be analysed, in a cohort of 100"
ONE_EACH = ("--set-threads", "tile=1", "segment=1", "stitch=1")


def test_a_cohort_ends_with_its_good_slides_done_and_its_bad_ones_named(tmp_path, ledger):
    ledger.inject(KIND, len(BAD))
    write_cohort(tmp_path)
    output = finish(tmp_path, *ONE_EACH)
    table = pd.read_csv(tmp_path / "results/report/cohort.tsv", sep="\t", index_col="slide")
    assert len(table) == SLIDES
    bad = table[table["status"] == "quarantined"]
    assert set(bad.index) == set(BAD)
    assert set(table[table["status"] == "done"].index) == set(table.index) - set(BAD)
    for slide, (_, words) in BAD.items():
        assert words in bad.loc[slide, "reason"], slide
    kinds = {re.sub(r"\S*/\S*|\d+", "", reason) for reason in bad["reason"]}
    assert len(kinds) == len(BAD), "two slides have the same reason"
    last = output[output.index(f"{SLIDES} slides: ") :]
    assert last.startswith(f"{SLIDES} slides: {SLIDES - len(BAD)} done (")
    assert last.partition("\n")[0].endswith(f"), {len(BAD)} quarantined.")
    for slide in table.index:
        named = f"  {slide} ({bad.loc[slide, 'stopped_by']}): " if slide in BAD else None
        assert (named in last) if named else (f"  {slide} (" not in last)
    ledger.survive(KIND, len(BAD))
