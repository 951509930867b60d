"""What went wrong between here and a server, in one line, without what a server or a library quotes.

Answers of servers repeat requests: the id of a key, what was signed. So a message is made of the
status and the code of the answer, and never of its text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lds_path.errors import LdsPathError, RemoteError, UnreadableSlideError

if TYPE_CHECKING:
    from lds_path.remote.address import RemotePath

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
MISSING = 404
DENIED = (401, 403)
NO_LOCATION = "redirect without LOCATION"
"""What the library says of the answer of a bucket in another region."""
NO_RANGES = "NotSupportedError"
"""Class of the library's error for a server that sends whole files only."""
CREDENTIAL_MODULES = ("botocore", "boto3", "google")
_CREDENTIALS = re.compile(
    r"token request|service account file|//169\.254\.169\.254/|//metadata\.google|botocore"
)
"""What the library says where it finds none: it does not get as far as the server of the slide."""
REMEDIES = {
    "s3": (
        "check AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that they may read"
        " and list the bucket"
    ),
    "gs": "check GOOGLE_APPLICATION_CREDENTIALS, or run gcloud auth application-default login",
}
PUBLIC_ONLY = "only files that need no login can be read there; copy the slide to a disk"
AGAIN = "run the same command again, which resumes"


def is_missing(error: Exception) -> bool:
    """Return whether a server has no such object or bucket."""
    return isinstance(error, FileNotFoundError) and _status(error) in (0, MISSING)


def names_bucket(error: Exception) -> bool:
    """Return whether it is the bucket that does not exist."""
    return _code(error) == "NoSuchBucket"


def describe_failure(path: RemotePath, error: Exception) -> LdsPathError:
    """Return the error for what a library raised when it asked a server.

    It is `RemoteError`, so that the job fails and is done again; `UnreadableSlideError` only for a
    server from which the slide can never be read.
    """
    if type(error).__name__ == NO_RANGES:
        return UnreadableSlideError(
            f"{path} cannot be read in parts: the server sends whole files only; copy the slide to a"
            " disk"
        )
    finding, remedy = _explain(path.scheme, error)
    return RemoteError(f"{path} cannot be read: {finding}; {remedy}")


def _explain(scheme: str, error: Exception) -> tuple[str, str]:
    """Return what was found and what to do."""
    status = _status(error)
    answer = " ".join(filter(None, (str(status) if status else "", _code(error))))
    if _asks_for_credentials(error):
        return "no valid credentials were found", REMEDIES.get(scheme, PUBLIC_ONLY)
    if status in DENIED:
        return f"the server refuses access ({answer})", REMEDIES.get(scheme, PUBLIC_ONLY)
    if NO_LOCATION in str(error) or "AuthorizationHeaderMalformed" in answer:
        return "the bucket is in another region", "set AWS_REGION to that of the bucket"
    if status:
        return f"the server answers {answer}", f"check the address, or {AGAIN}"
    return (
        "the server cannot be reached, or the connection broke again and again",
        f"check the network and the address (AWS_ENDPOINT_URL, if S3 is not Amazon's), and {AGAIN}",
    )


def _asks_for_credentials(error: Exception) -> bool:
    """Return whether it failed before the server of the slide was asked."""
    if type(error).__module__.split(".")[0] in CREDENTIAL_MODULES:
        return True
    return _CREDENTIALS.search(str(error)) is not None


def _status(error: Exception) -> int:
    """Return the status of the answer, 0 if there was none."""
    found = _STATUS.search(str(error))
    return int(found[1]) if found else 0


def _code(error: Exception) -> str:
    found = _CODE.search(str(error))
    return found[1] if found else ""
