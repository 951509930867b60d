"""Slides on an S3 server, which moto imitates on this computer, and on one of Google's, which a file server does."""

import json

import pytest
from file_server import file_server
from moto import settings
from object_store import BUCKET, KEY_ID, SECRET, object_store

from lds_path.errors import RemoteError, UnreadableSlideError
from lds_path.remote import stores
from lds_path.remote.address import parse_address
from lds_path.remote.identity import read_state
from lds_path.remote.remote_file import RemoteFile

CONTENT = bytes(range(256)) * 100
NAME = "case 1/ü + %20.svs"


@pytest.fixture(scope="module")
def bucket():
    with object_store() as client:
        client.put_object(Bucket=BUCKET, Key=NAME, Body=CONTENT)
        yield client


@pytest.fixture
def path(bucket):
    return parse_address(f"s3://{BUCKET}/{NAME}")


@pytest.fixture
def locked(bucket, monkeypatch):
    """A server that compares signatures from now on, to the end of the test."""
    monkeypatch.setattr(settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0)
    stores._open_store.cache_clear()
    yield
    stores._open_store.cache_clear()


def test_parts_of_an_object_are_read_whatever_its_name(bucket, path):
    assert RemoteFile(path).read_parts([(5, 10), (20_000, 10)]) == [
        CONTENT[5:15],
        CONTENT[20_000:20_010],
    ]


def test_an_object_is_known_by_the_etag_of_its_server(bucket, path):
    head = bucket.head_object(Bucket=BUCKET, Key=NAME)
    assert read_state(path).describe() == {"bytes": len(CONTENT), "etag": head["ETag"]}


@pytest.mark.parametrize(
    ("address", "finding"),
    [
        (f"s3://{BUCKET}/none.svs", "there is no such object"),
        ("s3://no-such-bucket/a.svs", "there is no bucket s3://no-such-bucket"),
    ],
)
def test_a_missing_object_and_a_missing_bucket_are_told_apart(bucket, address, finding):
    with pytest.raises(
        UnreadableSlideError, match=rf"cannot be opened \({finding}\); check the path"
    ):
        RemoteFile(parse_address(address))


def test_wrong_credentials_are_an_error_that_names_where_they_come_from(locked, path):
    with pytest.raises(
        RemoteError, match=r"refuses access \(403\); check AWS_PROFILE, or AWS_ACC"
    ) as e:
        RemoteFile(path)
    assert KEY_ID not in str(e.value)
    assert SECRET not in str(e.value)


def test_credentials_that_expire_meanwhile_are_no_damage(bucket, path, request):
    file = RemoteFile(path)
    request.getfixturevalue("locked")
    with pytest.raises(RemoteError, match=r"refuses access \(403 InvalidAccessKeyId\)"):
        file.read_parts([(0, 4)])


def test_a_profile_gives_credentials_region_and_endpoint(bucket, path, tmp_path, monkeypatch):
    endpoint = bucket.meta.endpoint_url
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ENDPOINT_URL",
        "AWS_DEFAULT_REGION",
    ):
        monkeypatch.delenv(name)
    (tmp_path / "config").write_text(
        f"[profile lab]\nregion = eu-west-1\nendpoint_url = {endpoint}\n"
        f"aws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    stores._open_store.cache_clear()
    settings = stores._aws_settings()
    assert settings["config"] == {"region": "eu-west-1", "endpoint": endpoint}
    with monkeypatch.context() as patch:
        patch.setenv("AWS_REGION", "eu-north-1")
        assert stores._aws_settings()["config"]["region"] == "eu-north-1"
    assert read_state(path).size == len(CONTENT)
    monkeypatch.setenv("AWS_PROFILE", "lob")
    stores._open_store.cache_clear()
    with pytest.raises(RemoteError, match="no valid credentials were found; check AWS_PROFILE"):
        read_state(path)


def test_without_credentials_only_what_is_public_is_read(bucket, path, tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    stores._open_store.cache_clear()
    with pytest.raises(RemoteError, match="refuses access"):
        read_state(path)
    bucket.put_object_acl(Bucket=BUCKET, Key=NAME, ACL="public-read")
    assert read_state(path).size == len(CONTENT)


def test_a_bucket_of_google_is_read_as_well(tmp_path, monkeypatch):
    with file_server() as server:
        server.files["/lab/case 1/a.svs"] = CONTENT
        account = {"gcs_base_url": server.address, "disable_oauth": True, "client_email": ""}
        account |= {"private_key": "", "private_key_id": ""}
        (tmp_path / "account.json").write_text(json.dumps(account))
        monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(tmp_path / "account.json"))
        file = RemoteFile(parse_address("gs://lab/case 1/a.svs"))
        assert file.read_parts([(100, 50)]) == [CONTENT[100:150]]
        assert server.sent.total() == 50


@pytest.mark.parametrize("content", [None, "{}"])
def test_a_file_of_credentials_that_is_missing_or_damaged_is_named_as_such(
    tmp_path, monkeypatch, content
):
    file = tmp_path / "account.json"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    stores._open_store.cache_clear()
    with pytest.raises(
        RemoteError, match="no valid credentials were found; check GOOGLE_APPLICATION"
    ):
        read_state(parse_address("gs://lab/a.svs"))
