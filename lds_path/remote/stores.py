"""Connections to object stores and web servers, and what an object is without reading it.

obstore is imported where it is used: most runs have no address, and need not have it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from lds_path.errors import UsageError
from lds_path.remote.address import BUCKETS
from lds_path.remote.failures import describe_failure, is_missing, names_bucket

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

    from lds_path.remote.address import RemotePath

RETRIES = 6
"""Times that a request is repeated, after 0.1 s and then twice as long each time."""
RETRY_SECONDS = 120


@dataclass(frozen=True)
class ObjectState:
    """What a server says of an object; it changes when the object is replaced."""

    size: int
    """Bytes."""
    etag: str
    """Of its content, as the server makes it; empty if it makes none."""
    modified: str
    """When it was written, ISO 8601; counts where there is no ETag."""

    def describe(self) -> dict[str, Any]:
        """Return what identifies the object, as a manifest holds it."""
        mark = {"etag": self.etag} if self.etag else {"modified": self.modified}
        return {"bytes": self.size, **mark}

    @property
    def sha256(self) -> str:
        """Hash of what identifies the object, not of its bytes."""
        return hashlib.sha256(repr(self.describe()).encode()).hexdigest()

    @property
    def identity(self) -> list[int]:
        """What `identify` returns for files: numbers that change with the object."""
        return [self.size, int(self.sha256[:12], 16)]


def require_library(path: RemotePath) -> None:
    """Check that addresses can be read in this installation.

    Raises
    ------
    UsageError
        If the packages for it are missing.
    """
    try:
        import boto3  # noqa: F401
        import obstore  # noqa: F401
    except ImportError:
        raise UsageError(
            f"{path} lies on a server, and the packages that read there are missing; pip install"
            ' "lds-path[cloud]", or pip install obstore boto3, or copy the slide to a disk'
        ) from None


def read_state(path: RemotePath) -> ObjectState | None:
    """Return what a server says of an object, None if there is none; no byte of it is read.

    Raises
    ------
    RemoteError
        If the server cannot be reached or refuses to answer.
    UsageError
        If the packages for it are missing.
    """
    store = open_store(path)
    import obstore

    try:
        meta = obstore.head(store, path.key)
    except Exception as error:  # noqa: BLE001 - obstore's errors are not all of one class
        if is_missing(error):
            return None
        raise describe_failure(path, error) from None
    modified = meta["last_modified"].astimezone(UTC)
    known = modified > datetime(1970, 1, 2, tzinfo=UTC)  # else the server states none
    return ObjectState(
        int(meta["size"]),
        str(meta["e_tag"] or ""),
        modified.isoformat(timespec="seconds") if known else "",
    )


def open_store(path: RemotePath) -> ObjectStore:
    """Return the connection to the bucket or server of an address; a process has one of each."""
    require_library(path)
    try:
        return _open_store(path.root, os.getpid())
    except Exception as error:  # noqa: BLE001 - botocore and obstore raise what they like
        raise describe_failure(path, error) from None


def why_missing(path: RemotePath) -> str:
    """Return why there is no object: the answer to HEAD does not tell a bucket from a key."""
    store = open_store(path)
    import obstore

    try:
        obstore.get_range(store, path.key, start=0, length=1)
    except Exception as error:  # noqa: BLE001 - as above; whatever it is, there is no object
        if names_bucket(error):
            return f"there is no bucket {path.root}"
    return "there is no such object" if path.scheme in BUCKETS else "the server has no such file"


@lru_cache(maxsize=64)
def _open_store(root: str, process: int) -> ObjectStore:
    from obstore.store import from_url

    del process  # connections do not survive a fork
    client: ClientConfig = {"allow_http": True}  # only where an address or endpoint says http
    retries: RetryConfig = {
        "max_retries": RETRIES,
        "retry_timeout": timedelta(seconds=RETRY_SECONDS),
    }
    settings = _aws_settings() if root.startswith("s3://") else {}
    return from_url(root, client_options=client, retry_config=retries, **settings)


def _aws_settings() -> dict[str, Any]:
    """Return credentials, region and endpoint as botocore finds them: environment, profile, roles.

    obstore itself does not read profiles. Without credentials, requests are not signed: a bucket may
    be public.
    """
    import botocore.session
    from obstore.auth.boto3 import Boto3CredentialProvider

    session = botocore.session.Session()
    region = os.environ.get("AWS_REGION") or session.get_config_variable("region")
    config: dict[str, Any] = {"region": region or "us-east-1"}
    profile = session.get_scoped_config()  # raises if AWS_PROFILE names none
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    stated = (os.environ.get(name) for name in names)
    endpoint = next(filter(None, stated), profile.get("endpoint_url"))
    if endpoint:
        config["endpoint"] = endpoint
    if session.get_credentials() is None:
        return {"config": config | {"skip_signature": True}}
    return {"config": config, "credential_provider": Boto3CredentialProvider(session)}
