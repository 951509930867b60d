from __future__ import annotations

import json
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from small_slides import make_card

from lds_path.classes import LabelClass
from lds_path.errors import ModelError, UsageError
from lds_path.formats.spread import Familiarity, measure_spread
from lds_path.models import card
from lds_path.network.spec import NetworkSpec

SPEC = NetworkSpec(
    2,
    channels=(4, 8),
    density_channels=(4, 8),
    view_level=2,
    mean=(0.5, 0.6, 0.7),
    shared_features=False,
)
CARD = replace(
    make_card(SPEC),
    training={"steps": 3},
    scores={"tune_dice": {"Pale": 0.9}},
    licence="Apache-2.0",
    authors=("A. Author",),
)


@pytest.fixture
def folder(tmp_path):
    card.write_card(tmp_path, CARD)
    return tmp_path


def test_a_model_is_found_by_its_path_or_shipped_id(folder, monkeypatch):
    monkeypatch.setattr(card, "SHIPPED", folder.parent)
    assert card.find_model(str(folder)) == folder
    assert card.find_model(folder.name) == folder


def test_a_missing_model_is_named_with_the_shipped_ones(folder, monkeypatch):
    monkeypatch.setattr(card, "SHIPPED", folder.parent)
    with pytest.raises(ModelError, match=f"'nowhere' does not exist.*{folder.name}"):
        card.find_model("nowhere")


def test_a_misspelt_model_is_answered_with_the_nearest(folder, monkeypatch):
    monkeypatch.setattr(card, "SHIPPED", folder.parent)
    with pytest.raises(ModelError, match=rf"did you mean '{folder.name}'\? Or give the id"):
        card.find_model(folder.name + "s")


def test_a_folder_that_is_no_model_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"holds no model\.json"):
        card.find_model(str(tmp_path))


def test_a_pickle_is_not_opened(tmp_path):
    (tmp_path / "weights.pth").write_bytes(pickle.dumps({"weights": 1}))
    with pytest.raises(ModelError, match=r"weights\.pth is a pickle"):
        card.find_model(str(tmp_path))


def test_a_card_too_large_for_a_description_is_refused(folder):
    with (folder / "model.json").open("a") as stream:
        stream.truncate(2**25)
    with pytest.raises(ModelError, match="more than 16 MiB"):
        card.read_card(folder)


def test_other_classes_are_named_with_the_remedy():
    with pytest.raises(ModelError, match=r"\[Pale, Dark\].*\[Dark, Pale\]; set `classes`"):
        card.check_classes(CARD, ("Dark", "Pale"), "demo")
    card.check_classes(CARD, ("Pale", "Dark"), "demo")


def test_a_model_fits_a_run_that_names_its_classes_or_none(folder):
    assert card.find_fitting_model(str(folder), ()) == folder
    assert card.find_fitting_model(str(folder), ("Pale", "Dark")) == folder
    with pytest.raises(ModelError, match=r"\[Pale, Dark\].*\[Fat\]; set `classes`"):
        card.find_fitting_model(str(folder), ("Fat",))
    (folder / "model.json").write_text("{}")
    with pytest.raises(ModelError, match="lacks the field"):
        card.find_fitting_model(str(folder), ())


def test_class_values_have_no_gaps():
    with pytest.raises(UsageError, match=r"values \[1, 3\], expected 1 to 2"):
        replace(CARD, classes=(CARD.classes[0], LabelClass(3, "x", (0, 0, 0))))


def test_a_card_is_read_without_the_weights(folder):
    assert [path.name for path in folder.iterdir()] == ["model.json"]
    assert card.read_card(folder) == CARD


def test_a_model_from_before_a_field_existed_has_its_default(folder):
    path = folder / "model.json"
    content = json.loads(path.read_text())
    del content["network"]["view_level"]
    path.write_text(json.dumps(content))
    assert (
        card.read_card(folder).network.view_level
        == NetworkSpec(2, shared_features=False).view_level
    )


def test_what_a_model_knows_is_read_as_it_was_written(folder):
    values = np.random.default_rng(0).normal(size=(50, 20))
    spread = measure_spread(values, values)
    known = replace(
        CARD, overlap=64, synthetic=True, familiarity=Familiarity(spread, features=None)
    )
    card.write_card(folder, known)
    assert card.read_card(folder) == known
    content = json.loads((folder / "model.json").read_text())
    content["familiarity"]["colours"]["mean"] = [1, 2]
    (folder / "model.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="does not describe a model: the axes of a spread do not"):
        card.read_card(folder)


def test_older_cards_say_nothing_of_overlap_paint_and_familiarity(folder):
    path = folder / "model.json"
    content = json.loads(path.read_text())
    for name in ("overlap", "synthetic", "familiarity"):
        del content[name]
    path.write_text(json.dumps(content))
    assert card.read_card(folder) == CARD
    assert (CARD.overlap, CARD.synthetic, CARD.familiarity) == (None, False, None)


def test_a_list_of_numbers_takes_one_line(folder):
    assert '"channels": [4, 8],\n' in (folder / "model.json").read_text()


def test_a_parameter_of_a_training_has_its_present_name(folder):
    path = folder / "model.json"
    content = json.loads(path.read_text())
    content["training"] = {"foretell": "network", "steps": 5}
    path.write_text(json.dumps(content))
    assert card.read_card(folder).training == {"error_source": "network", "steps": 5}


def test_a_card_is_read_without_torch(folder):
    code = """
import sys
from pathlib import Path
from lds_path.models.card import read_card
from lds_path.models.description import describe
folder = Path(sys.argv[1])
print(describe(read_card(folder), folder).count("Pale") > 0, "torch" in sys.modules)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False
    )
    assert ended.stdout == "True False\n", ended.stderr


def test_a_shipped_model_is_named_by_its_id_however_it_is_given(tmp_path):
    assert card.name_model("demo") == "demo"
    assert card.name_model(str(card.find_model("demo"))) == "demo"
    assert card.name_model(str(tmp_path / "demo")) == str(tmp_path / "demo")
