"""The schema and the shipped configuration say what the dataclasses say."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml

from lds_path.errors import UsageError
from lds_path.option import describe
from lds_path.options.schema import SECTIONS, describe_section, schema_text
from lds_path.options.slides import DemoOptions
from lds_path.run.config import check_config

REPOSITORY = Path(__file__).parent.parent.parent
SCHEMA = REPOSITORY / "workflow/schemas/config.schema.yaml"
CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text())


def test_the_schema_is_written_from_the_options():
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), "run `make schema`"


@pytest.mark.parametrize("section", SECTIONS)
def test_the_configuration_has_the_defaults_of_the_dataclasses(section):
    defaults = {
        one.name: list(one.default) if one.kind.form == "list" else one.default
        for one in describe_section(section)
    }
    defaults |= {one.name: None for one in describe_section(section) if one.about.from_model}
    assert CONFIG[section] == defaults
    kinds = {key: type(value) for key, value in CONFIG[section].items()}
    assert kinds == {key: type(value) for key, value in defaults.items()}


def test_every_section_of_the_configuration_has_options():
    assert {name for name, value in CONFIG.items() if isinstance(value, dict)} == set(SECTIONS)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_tells_what_it_means(section):
    assert all(one.about.text for one in describe_section(section))


UNBOUNDED = {"slide_mpp"}
"""An implausible value from the sheet quarantines its slide."""


@pytest.mark.parametrize("defaults", [*SECTIONS.values(), DemoOptions()])
def test_every_number_has_bounds_so_that_time_and_memory_have(defaults):
    for one in describe(defaults):
        if one.kind.item in (int, float) and one.name not in UNBOUNDED:
            about = one.about
            assert about.maximum is not None, one.name
            assert about.minimum is not None or about.above is not None, one.name


def test_no_number_of_the_configuration_may_be_infinite_or_nan():
    schema = yaml.safe_load(schema_text())
    for section in SECTIONS:
        for one in describe_section(section):
            for value in (math.inf, -math.inf, math.nan):
                if one.kind.item in (int, float):
                    listed = [value] if one.kind.form == "list" else value
                    with pytest.raises(UsageError, match=f"'{section}.{one.name}"):
                        check_config(changed(section, **{one.name: listed}), schema)


def changed(section, **keys):
    return CONFIG | {section: CONFIG[section] | keys}


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ("stitch", {"mpp": 2, "zarr": "0.4"}),
        ("plan", {"budget": 128}),
        ("plan", {"budget": "20000/mm2"}),
        ("labels", {"class_map": {"Krebs": "Tumor", "Region": None}}),
        ("train", {"ladder": [32, 64], "max_zoom": 4, "preset": "jin2022"}),
    ],
)
def test_values_within_bounds_pass(section, keys):
    check_config(changed(section, **keys), yaml.safe_load(schema_text()))


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ("stitch", {"mpp": 0}),
        ("stitch", {"mpp": 1e9}),
        ("evaluate", {"boundary_um": 1e6}),
        ("detect", {"region_size": 2**20}),
        ("plan", {"budget": math.inf}),
        ("plan", {"budget": "9" * 400}),
        ("export", {"frame": "level1"}),
        ("export", {"tolerance_um": None}),
        ("train", {"largest_gradient": None}),  # the command would take the default
        ("train", {"channels": [4]}),
        ("train", {"ladder": [0]}),
        ("train", {"residual_units": 3}),  # of Python only
        ("segment", {"device": "cpu"}),
    ],
)
def test_values_out_of_bounds_and_options_of_other_places_are_named(section, keys):
    with pytest.raises(UsageError, match=f"config.yaml: .*'{section}.{next(iter(keys))}"):
        check_config(changed(section, **keys), yaml.safe_load(schema_text()))
