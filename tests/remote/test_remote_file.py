"""Parts of files on servers: what crosses the network, and what is said when it does not."""

import io
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest
from file_server import file_server

from lds_path.errors import RemoteError, SlideProblem, UnreadableSlideError, UsageError
from lds_path.remote import stores
from lds_path.remote.address import parse_address
from lds_path.remote.identity import read_state
from lds_path.remote.kept_parts import KeptParts, shared_parts
from lds_path.remote.remote_file import GAP_BYTES, HEADER_BYTES, RemoteFile

CONTENT = bytes(range(256)) * 1000
KEY = "<AWSAccessKeyId>AKIASECRET</AWSAccessKeyId>"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(stores, "RETRIES", 2)
    stores._open_store.cache_clear()
    shared_parts.cache_clear()
    with file_server() as running:
        running.files["/a b/x.svs"] = CONTENT
        yield running


@pytest.fixture
def path(server):
    return parse_address(f"{server.address}/a%20b/x.svs")


def test_only_the_parts_that_are_asked_for_cross_the_network(server, path):
    parts = [(10, 20), (100_000, 30), (200_000, 5)]
    assert RemoteFile(path).read_parts(parts) == [CONTENT[a : a + n] for a, n in parts]
    assert server.sent == {"/a b/x.svs": 55}


def test_parts_that_lie_close_are_one_request(server, path):
    file = RemoteFile(path)
    before = len(server.requests)
    file.read_parts([(0, 10), (10 + GAP_BYTES, 10)])
    assert len(server.requests) == before + 1
    assert server.sent.total() == GAP_BYTES + 20


def test_a_part_that_was_read_lately_is_not_asked_for_again(server, path):
    file = RemoteFile(path)
    first = file.read_parts([(0, 10), (50_000, 10)])
    before = len(server.requests)
    assert file.read_parts([(50_000, 10), (0, 10), (0, 10)]) == [first[1], first[0], first[0]]
    assert len(server.requests) == before


def test_no_more_parts_are_kept_than_the_limit_allows():
    kept = KeptParts(10)
    kept.keep({(0, 4): b"aaaa", (4, 4): b"bbbb"})
    assert kept.find([(0, 4)]) == {(0, 4): b"aaaa"}
    kept.keep({(8, 4): b"cccc"})
    assert set(kept.find([(0, 4), (4, 4), (8, 4)])) == {(0, 4), (8, 4)}
    kept.keep({(20, 11): b"d" * 11})
    assert kept.find([(0, 4), (8, 4), (20, 11)]) == {}


def test_no_part_is_no_request(server, path):
    file = RemoteFile(path)
    before = len(server.requests)
    assert file.read_parts([]) == []
    assert len(server.requests) == before


def test_a_stream_reads_what_a_file_would_in_steps(server, path):
    with RemoteFile(path).open_stream() as stream:
        assert stream.read(4) == CONTENT[:4]
        assert stream.seek(-5, io.SEEK_END) == len(CONTENT) - 5
        assert stream.read() == CONTENT[-5:]
        assert stream.read(3) == b""
        stream.seek(70_000)
        assert stream.read(100_000) == CONTENT[70_000:170_000]
    assert server.sent.total() <= 100_000 + 3 * HEADER_BYTES


def test_threads_read_side_by_side(path):
    file, wrong = RemoteFile(path), []

    def read(start):
        places = range(start, start + 50)
        wrong.extend(at for at in places if file.read_parts([(at, 3)]) != [CONTENT[at : at + 3]])

    threads = [threading.Thread(target=read, args=(1000 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_connection_that_breaks_is_resumed_and_nothing_is_read_twice(server, path):
    file = RemoteFile(path)
    server.broken = 1
    assert file.read_parts([(0, 100_000)]) == [CONTENT[:100_000]]
    assert [asked for _, _, asked in server.requests[-2:]] == ["bytes=0-99999", "bytes=50000-99999"]


def test_one_that_breaks_again_and_again_is_an_error_that_is_no_damage(server, path):
    file = RemoteFile(path)
    server.broken = 100
    with pytest.raises(
        RemoteError, match="the connection broke again and again; check the network"
    ) as e:
        file.read_parts([(0, 100_000)])
    assert not isinstance(e.value, OSError | ValueError | RuntimeError | SlideProblem)
    assert file.failure is e.value


def test_a_server_that_is_not_there_is_named():
    with pytest.raises(RemoteError, match=r"http://127\.0\.0\.1:1/x\.svs .* cannot be reached"):
        read_state(parse_address("http://127.0.0.1:1/x.svs"))


@pytest.mark.parametrize(
    ("status", "finding"),
    [
        (401, "refuses access .401 SignatureDoesNotMatch.; only files that need no login"),
        (403, "refuses access .403 SignatureDoesNotMatch."),
        (500, "the server answers 500 SignatureDoesNotMatch; check the address, or run the same"),
        (405, "the server answers 405"),
        (301, "in another region; set AWS_REGION"),
    ],
)
def test_what_a_server_answers_is_told_without_what_it_quotes(server, path, status, finding):
    file = RemoteFile(path)
    server.status, server.body = (
        status,
        f"<Error><Code>SignatureDoesNotMatch</Code>{KEY}</Error>".encode(),
    )
    with pytest.raises(RemoteError, match=finding) as caught:
        file.read_parts([(0, 3)])
    assert "AKIASECRET" not in str(caught.value)
    with pytest.raises(RemoteError):
        read_state(path)


def test_a_server_without_parts_is_named_with_the_remedy(server, path):
    file = RemoteFile(path)
    server.ranges = False
    with pytest.raises(UnreadableSlideError, match=r"whole files only; copy the slide to a disk"):
        file.read_parts([(5, 3)])


def test_a_missing_file_has_no_state_and_is_an_error_to_open(server):
    missing = parse_address(f"{server.address}/none.svs")
    assert read_state(missing) is None
    with pytest.raises(
        UnreadableSlideError, match=r"the server has no such file\); check the path"
    ):
        RemoteFile(missing)


def test_a_file_that_became_shorter_is_noticed(server, path):
    file = RemoteFile(path)
    server.files["/a b/x.svs"] = CONTENT[:1000]
    with pytest.raises(RemoteError, match="became shorter"):
        file.read_parts([(990, 20)])


def test_a_file_is_known_by_etag_and_size_else_by_its_time(server, path):
    first = read_state(path)
    assert first.describe() == {"bytes": len(CONTENT), "etag": first.etag}
    assert first.etag
    server.etags = False
    undated = read_state(path)
    assert undated.describe() == {"bytes": len(CONTENT), "modified": undated.modified}
    assert datetime.fromisoformat(undated.modified) == datetime(2025, 1, 1, tzinfo=UTC)
    server.etags = True
    server.files["/a b/x.svs"] = CONTENT[::-1]
    second = read_state(path)
    assert second.identity != first.identity
    assert second.sha256 != first.sha256
    assert len({first.sha256, undated.sha256, second.sha256}) == 3


def test_missing_packages_are_named(monkeypatch, path):
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(UsageError, match=r'pip install "lds-path\[cloud\]"'):
        read_state(path)


def test_most_runs_do_not_import_the_packages():
    code = (
        "import sys; import lds_path.stages.tile, lds_path.rules.setup;"
        "sys.exit(bool({'obstore', 'boto3', 'botocore'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
