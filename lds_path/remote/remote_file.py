"""A file on a server, of which only the parts that are asked for cross the network."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from lds_path.errors import LdsPathError, RemoteError, UnreadableSlideError
from lds_path.remote.failures import describe_failure
from lds_path.remote.kept_parts import shared_parts
from lds_path.remote.objects import read_object_state
from lds_path.remote.stores import open_store, why_missing

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from _typeshed import WriteableBuffer

    from lds_path.remote.address import RemotePath

GAP_BYTES = 16 * 2**10
"""Parts that are no further apart are read by one request: what lies between costs less than another."""
HEADER_BYTES = 8 * 2**10
"""Directories of a TIFF are read in pieces of this size."""


class RemoteFile:
    """Parts of a file; any thread may read.

    Attributes
    ----------
    path, size
        Address, and extent in bytes when it was opened.
    failure
        The first error, which a library may have passed over.
    """

    def __init__(self, path: RemotePath) -> None:
        """Ask the server for the size.

        Raises
        ------
        RemoteError
            If the server cannot be reached or refuses.
        UnreadableSlideError
            If there is no such file.
        UsageError
            If the packages for it are missing.
        """
        state = read_object_state(path)
        if state is None:
            raise UnreadableSlideError(
                f"{path} cannot be opened ({why_missing(path)}); check the path in slides.tsv"
            )
        self.path, self.size = path, state.size
        self.failure: LdsPathError | None = None
        self._store = open_store(path)
        self._version = path, state
        self._kept = shared_parts()

    def read_parts(self, parts: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return the bytes of parts, each an offset and a count, asked for side by side.

        A request that fails is repeated; what was read lately is not asked for again.

        Raises
        ------
        RemoteError
            If the server cannot be reached or refuses, or the file became shorter.
        UnreadableSlideError
            If the server sends whole files only.
        """
        keys = {part: (self._version, part) for part in parts}
        known = self._kept.find(keys.values())
        asked = [part for part, key in keys.items() if key not in known]
        if asked:
            read = self._fetch(asked)
            found: dict[Hashable, bytes] = {
                keys[part]: content for part, content in zip(asked, read, strict=True)
            }
            self._kept.keep(found)
            known |= found
        return [known[keys[part]] for part in parts]

    def open_stream(self) -> io.BufferedReader:
        """Return the file as a stream for what is read in small steps; one thread at a time."""
        return io.BufferedReader(_Stream(self), HEADER_BYTES)

    def _fetch(self, parts: Sequence[tuple[int, int]]) -> list[bytes]:
        import obstore

        starts, lengths = zip(*parts, strict=True)
        try:
            found = obstore.get_ranges(
                self._store, self.path.key, starts=starts, lengths=lengths, coalesce=GAP_BYTES
            )
        except Exception as error:  # noqa: BLE001 - obstore's errors are not all of one class
            self.failure = describe_failure(self.path, error)
            raise self.failure from None
        read = [bytes(part) for part in found]
        if any(len(part) != length for part, length in zip(read, lengths, strict=True)):
            self.failure = RemoteError(
                f"{self.path} became shorter while it was read; run the same command again"
            )
            raise self.failure
        return read


class _Stream(io.RawIOBase):
    """A file on a server from its position on."""

    def __init__(self, file: RemoteFile) -> None:
        super().__init__()
        self._file, self._position = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        starts = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.size}
        self._position = max(starts[whence] + offset, 0)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        count = max(min(len(view), self._file.size - self._position), 0)
        if count:
            view[:count] = self._file.read_parts([(self._position, count)])[0]
        self._position += count
        return count
