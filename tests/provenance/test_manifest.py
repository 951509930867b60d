import json

import pytest

from lds_path.errors import StageInputError
from lds_path.provenance.manifest import read_manifest, write_json


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"stage": "tile", "colour": "red"}'])
def test_a_broken_manifest_is_an_error_that_names_it(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(StageInputError, match=r"manifest\.json is not a manifest"):
        read_manifest(tmp_path)


def test_json_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(tmp_path / "a.json", {"value": float("nan")})
    assert not (tmp_path / "a.json").exists()
    write_json(tmp_path / "a.json", {"value": 1})
    assert json.loads((tmp_path / "a.json").read_text()) == {"value": 1}
