"""Mutants of what people write and copy: models, sheets, configurations."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from mutant_outcome import RIGHT, UNKNOWN, WRONG
from spoil import CELLS, spoil_bytes, spoil_json

from lds_path.classes import LabelClass
from lds_path.geometry import Size
from lds_path.models.card import CARD_NAME, WEIGHTS_NAME, ModelCard
from lds_path.network.spec import NetworkSpec
from lds_path.options.configuration import read_configuration
from lds_path.run.config import rename_old_keys
from lds_path.run.sheet import COLUMNS, read_sheet

if TYPE_CHECKING:
    from random import Random

    from image_subjects import Verdict

REPOSITORY = Path(__file__).parent.parent.parent
SPEC = NetworkSpec(2, channels=(4, 8), density_channels=(4, 8), view_level=2, shared_features=False)
CARD = ModelCard(
    SPEC, (LabelClass(1, "A", (1, 2, 3)), LabelClass(2, "B", (4, 5, 6))), 0.5, Size(64, 64),
    Size(16, 16),
)  # fmt: skip


@cache
def _model() -> tuple[bytes, bytes]:
    """Return card and weights of a small model."""
    import torch

    from lds_path.models.checkpoint import save_model
    from lds_path.network.segmenter import Segmenter

    torch.manual_seed(0)
    folder = Path(tempfile.mkdtemp())
    save_model(folder, Segmenter(SPEC), CARD)
    return (folder / CARD_NAME).read_bytes(), (folder / WEIGHTS_NAME).read_bytes()


def model(folder: Path, random: Random) -> Verdict:
    """Spoil the card, or the header of the weights."""
    card, weights = _model()
    (folder / CARD_NAME).write_bytes(card)
    (folder / WEIGHTS_NAME).write_bytes(weights)
    length = 8 + int.from_bytes(weights[:8], "little")
    in_card = random.random() < 0.5
    if in_card and random.random() < 0.8:
        (folder / CARD_NAME).write_text(json.dumps(spoil_json(json.loads(card), random)))
    elif in_card:
        (folder / CARD_NAME).write_bytes(spoil_bytes(card, random))
    elif random.random() < 0.5:
        header = json.dumps(spoil_json(json.loads(weights[8:length]), random)).encode()
        size = len(header) + random.choice((0, 0, 0, 1, -1, 2**40))
        spoilt = (size % 2**64).to_bytes(8, "little") + header + weights[length:]
        (folder / WEIGHTS_NAME).write_bytes(spoilt)
    else:
        (folder / WEIGHTS_NAME).write_bytes(spoil_bytes(weights, random, 0, length))
    return _load(folder)


def _load(folder: Path) -> Verdict:
    from safetensors.torch import save

    from lds_path.models.checkpoint import load_model

    segmenter, card = load_model(folder)
    same = asdict(card) == asdict(CARD) and save(segmenter.state_dict()) == _model()[1]
    return (RIGHT if same else UNKNOWN), ""


ROWS = [
    ["s1", "a.svs", "0.25", "a.geojson", "", "train", "p1", "x"],
    ["s2", "b c.tif", "", "", "r.geojson", "test", "p2", ""],
    ["s-3", "é.svs", "0.5", "l.tif", "", "tune", "p3", "y"],
]


def sheet(folder: Path, random: Random) -> Verdict:
    """Write a sheet as some program does, or spoil its cells."""
    rows = [list(COLUMNS), *(list(row) for row in ROWS)]
    spoilt = random.random() < 0.6
    for _ in range(random.randrange(1, 4) if spoilt else 0):
        row = random.choice(rows)
        how = random.choice(("cell", "cell", "cell", "short", "long", "twice", "column"))
        if how == "short":
            del row[random.randrange(len(row)) :]
        elif how == "long":
            row.append(random.choice(CELLS))
        elif how == "twice":
            rows.append(list(row))
        else:
            row = rows[0] if how == "column" else row
            row[random.randrange(len(row))] = random.choice(CELLS)
        rows = [row or [""] for row in rows]
    text = io.StringIO()
    ends = random.choice(("\n", "\r\n"))
    quoting = random.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    csv.writer(text, delimiter="\t", lineterminator=ends, quoting=quoting).writerows(rows)
    content = text.getvalue().encode("utf-8-sig" if random.random() < 0.3 else "utf-8")
    if broken := random.random() < 0.2:
        content = spoil_bytes(content, random)
    path = folder / "slides.tsv"
    path.write_bytes(content)
    found = read_sheet(path)
    if spoilt or broken:
        return UNKNOWN, ""
    cells = found.drop(columns=["path", "labels", "roi"]).fillna("").astype(str).values.tolist()
    expected = [[row[0], row[2], *row[5:]] for row in ROWS]
    same = cells == expected and list(found["path"]) == [str(folder / row[1]) for row in ROWS]
    return (RIGHT, "") if same else (WRONG, str(cells))


@cache
def _configuration() -> tuple[str, dict[str, Any]]:
    schema = REPOSITORY / "workflow/schemas/config.schema.yaml"
    return (REPOSITORY / "config.yaml").read_text(), yaml.safe_load(schema.read_text())


def config(folder: Path, random: Random) -> Verdict:
    """Spoil a value or a name of the configuration, as YAML gives it to Snakemake."""
    del folder
    text, schema = _configuration()
    content = yaml.safe_load(text)
    spoilt = random.random() < 0.9
    changed = spoil_json(content, random) if spoilt else content
    changed = yaml.safe_load(yaml.safe_dump(changed, sort_keys=random.random() < 0.5))
    rename_old_keys(changed, schema)
    found = read_configuration(changed, schema)
    same = found == read_configuration(yaml.safe_load(text), schema)
    if spoilt and not same:
        return UNKNOWN, ""
    return (RIGHT, "") if same else (WRONG, str(found))
