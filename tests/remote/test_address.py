"""Addresses of slides: what is one, what is refused, and that no message repeats a secret."""

import pickle
from pathlib import Path

import pytest

from lds_path.errors import UsageError
from lds_path.remote.address import is_address, parse_address, to_slide_path


@pytest.mark.parametrize(
    ("text", "root", "key", "name"),
    [
        ("s3://b/a b/c%20d ü.svs", "s3://b", "a b/c%20d ü.svs", "c%20d ü.svs"),
        ("gs://b/c.tif", "gs://b", "c.tif", "c.tif"),
        ("https://h.org:81/a%20b/c.svs", "https://h.org:81", "a b/c.svs", "c.svs"),
    ],
)
def test_an_address_has_a_bucket_or_server_a_key_and_the_name_of_a_file(text, root, key, name):
    path = parse_address(text)
    assert (str(path), path.root, path.key, path.name) == (text, root, key, name)
    assert path.stem + path.suffix == name
    assert pickle.loads(pickle.dumps(path)) == path


@pytest.mark.parametrize("text", ["/a/b.svs", "a.svs", r"C:\a\b.svs", "C://a", "a//b", ":// x", ""])
def test_what_has_no_scheme_is_a_path(text):
    assert not is_address(text)
    assert to_slide_path(text) == Path(text)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("ftp://host/a.svs", "begins with ftp://"),
        ("s3://bucket", "names no slide"),
        ("s3://bucket/", "names no slide"),
        ("https:///a.svs", "names no slide"),
        ("s3://bucket/a//b.svs", "an empty part"),
        ("https://host/../b.svs", "an empty part"),
        ("https://host:port/b.svs", "not valid"),
    ],
)
def test_an_address_of_no_slide_is_refused(text, finding):
    with pytest.raises(UsageError, match=finding):
        to_slide_path(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://me:hunter2@host/a.svs",
        "https://hunter2@host/a.svs",
        "s3://AKIAX:hunter2@bucket/a.svs",
        "https://host/a.svs?X-Amz-Signature=hunter2",
        "gs://bucket/a.svs?token=hunter2",
        "https://host/a.svs#hunter2",
        "ftp://me:hunter2@host/a.svs",
        "https://me:hunter2@host:port/a.svs",
    ],
)
def test_a_user_name_a_password_or_a_signature_is_refused_and_not_repeated(text):
    with pytest.raises(UsageError) as caught:
        to_slide_path(text)
    assert "hunter2" not in str(caught.value)
    assert "leave it out" in str(caught.value) or "ftp" in text or "not valid" in str(caught.value)
