"""An object on a server: what the server says of it, and its bytes, whole or a part of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lds_path.errors import RemoteError
from lds_path.remote.failures import describe_failure, is_missing
from lds_path.remote.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lds_path.remote.address import RemotePath


@dataclass(frozen=True)
class ObjectState:
    """What a server says of a slide; it changes when the slide is replaced."""

    size: int
    """Bytes, of an OME-Zarr those of its metadata."""
    etag: str
    """Of its content, as the server makes it; empty if it makes none."""
    modified: str
    """When it was written, ISO 8601; counts where there is no ETag."""
    documents: int = 0
    """Of an OME-Zarr the number of its metadata documents, of which `etag` is the hash."""

    def describe(self) -> dict[str, Any]:
        """Return what identifies the slide, as a manifest holds it."""
        if self.documents:
            return {"documents": self.documents, "etags": self.etag}
        mark = {"etag": self.etag} if self.etag else {"modified": self.modified}
        return {"bytes": self.size, **mark}

    @property
    def sha256(self) -> str:
        """Hash of what identifies the slide, not of its bytes."""
        return hashlib.sha256(repr(self.describe()).encode()).hexdigest()

    @property
    def identity(self) -> list[int]:
        """What `identify` returns for files: numbers that change with the slide."""
        return [self.size, int(self.sha256[:12], 16)]


def read_object_state(path: RemotePath) -> ObjectState | None:
    """Return what a server says of an object, None if there is none; no byte of it is read.

    Raises
    ------
    RemoteError
        If the server cannot be reached or refuses to answer.
    UsageError
        If the packages for it are missing.
    """
    found = _ask(path, lambda obstore, store: obstore.head(store, path.key))
    return None if found is None else _state(found)


def read_object(path: RemotePath, limit: int) -> tuple[bytes, ObjectState] | None:
    """Return all bytes of an object and what the server says of it, None if there is none.

    Raises
    ------
    RemoteError
        If the server cannot be reached or refuses.
    ValueError
        If it has more than `limit` bytes, of which none is kept.
    """

    def read(obstore: Any, store: Any) -> tuple[ObjectState, bytes]:  # noqa: ANN401 - without types
        found = obstore.get(store, path.key)
        state = _state(found.meta)
        return state, b"" if state.size > limit else bytes(found.bytes())

    answer = _ask(path, read)
    if answer is None:
        return None
    state, content = answer
    if state.size > limit:
        raise ValueError(f"{path.name} has {state.size} bytes, more than {limit}")
    return content, state


def read_object_part(path: RemotePath, begin: int, count: int) -> bytes | None:
    """Return a part of the bytes of an object, None if there is no such object.

    Raises
    ------
    RemoteError
        If the server cannot be reached or refuses, or the object became shorter.
    UnreadableSlideError
        If the server sends whole files only.
    """
    found: bytes | None = _ask(
        path,
        lambda obstore, store: bytes(obstore.get_range(store, path.key, start=begin, length=count)),
    )
    if found is not None and len(found) != count:
        raise RemoteError(f"{path} became shorter while it was read; run the same command again")
    return found


def _ask(path: RemotePath, question: Callable[[Any, Any], Any]) -> Any:  # noqa: ANN401 - of any kind
    """Return the answer to a question of obstore to a store, None if there is no such object."""
    store = open_store(path)
    import obstore

    try:
        return question(obstore, store)
    except Exception as error:  # noqa: BLE001 - obstore's errors are not all of one class
        if is_missing(error):
            return None
        raise describe_failure(path, error) from None


def _state(meta: Mapping[str, Any]) -> ObjectState:
    modified = meta["last_modified"].astimezone(UTC)
    known = modified > datetime(1970, 1, 2, tzinfo=UTC)  # else the server states none
    return ObjectState(
        int(meta["size"]),
        str(meta["e_tag"] or ""),
        modified.isoformat(timespec="seconds") if known else "",
    )
