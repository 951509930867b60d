"""The list of the shipped models says what a person chooses by."""

from lds_path.models.card import SHIPPED, read_card, shipped_models
from lds_path.models.listing import WIDTH, list_models


def test_every_model_is_listed_with_its_classes_use_and_scores():
    text = list_models()
    words = " ".join(text.split())
    for name in shipped_models():
        card = read_card(SHIPPED / name)
        assert f"{name}\n" in text
        assert ", ".join(card.class_names) in words
        assert " ".join(card.description.split()) in words
        assert f"{card.mpp:g} um per pixel" in words
    assert "Glomerulus 0.85" in words
    assert "painted slides only" in words


def test_the_list_fits_a_terminal():
    assert max(map(len, list_models().splitlines())) <= WIDTH
