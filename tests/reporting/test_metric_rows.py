"""What the page of a slide lists of its metrics and parameters."""

from __future__ import annotations

from lds_path.provenance.cohort import SlideRecord
from lds_path.provenance.manifest import Manifest
from lds_path.reporting.metric_rows import parameters_of


def test_limits_of_a_stain_that_the_slide_does_not_have_are_not_listed():
    limits = {f"{word}_{name}": 0.1 for name in ("eosin", "staining") for word in ("warn", "fail")}
    assess = Manifest("assess", "s", "done", parameters={"stain": "HER2 IHC", **limits})
    metric = {"value": 0.4, "unit": "OD", "definition": "", "source": ""}
    dab = SlideRecord("s", {}, {"dab": metric, "staining": metric})
    assert set(parameters_of(dab, assess)) == {"stain", "warn_staining", "fail_staining"}
    both = SlideRecord("s", {}, {"eosin": metric, "staining": metric})
    assert parameters_of(both, assess) == assess.parameters
