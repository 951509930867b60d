"""Connections to object stores and web servers.

obstore is imported where it is used: most runs have no address, and need not have it.
"""

from __future__ import annotations

import os
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from lds_path.errors import UsageError
from lds_path.remote.address import BUCKETS
from lds_path.remote.failures import describe_failure, names_bucket

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

    from lds_path.remote.address import RemotePath

RETRIES = 6
"""Times that a request is repeated, after 0.1 s and then twice as long each time."""
RETRY_SECONDS = 120


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
