"""A sealed file is read with its key, whole and as it was written, or not at all."""

import base64
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.sealed import CHUNK, MAGIC, NotReadable, Sealing, header_of, opened, read_key

KEY = bytes(range(32))


def sealed(content: bytes, key: bytes = KEY) -> bytes:
    """A file that says this."""
    file = io.BytesIO()
    sealing = Sealing(file, key, {"service": "casework"})
    sealing.write(content)
    sealing.close()
    return file.getvalue()


def read(file: bytes, key: bytes = KEY) -> bytes:
    """What a file says."""
    return b"".join(opened(io.BytesIO(file), key))


THREE = sealed(bytes(2 * CHUNK + 10))


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_what_was_written_is_read(size: int) -> None:
    """Whatever its length is to that of a chunk."""
    content = bytes(number % 251 for number in range(size))
    assert read(sealed(content)) == content


def test_what_it_says_cannot_be_read_without_the_key_but_what_it_is_can() -> None:
    """The header alone is plain; the same content gives another file each time."""
    file = sealed(b"Planted Person")
    assert b"Planted" not in file
    assert header_of(io.BytesIO(file))["service"] == "casework"
    assert sealed(b"x") != sealed(b"x")
    with pytest.raises(NotReadable):
        read(file, bytes(32))


@given(st.integers(0, 10**9), st.integers(1, 255))
def test_a_changed_byte_is_noticed(place: int, change: int) -> None:
    """Wherever it is, in the header too."""
    file = bytearray(sealed(b"a case"))
    file[place % len(file)] ^= change
    with pytest.raises(NotReadable):
        read(bytes(file))


def test_what_is_cut_off_swapped_or_repeated_is_noticed() -> None:
    """Chunks are numbered, and the last says that it is."""
    start = THREE.index(b"\n", len(MAGIC)) + 1
    head, size = THREE[:start], CHUNK + 16
    one, two, rest = THREE[start : start + size], THREE[start + size : start + 2 * size], THREE[start + 2 * size :]
    assert read(head + one + two + rest) == bytes(2 * CHUNK + 10)
    for wrong in (
        head,
        head + one,
        head + one + two,
        head + two + one + rest,
        head + one + one + two + rest,
        head + rest,
    ):
        with pytest.raises(NotReadable):
            read(wrong)


@pytest.mark.parametrize("text", ["", "x", base64.b64encode(b"short").decode(), "ä" * 44])
def test_a_key_is_32_bytes_in_base64(tmp_path: Path, text: str) -> None:
    """As `openssl rand -base64 32` writes them."""
    file = tmp_path / "key"
    file.write_text(text)
    with pytest.raises(NotReadable):
        read_key(file)
    file.write_bytes(base64.b64encode(KEY) + b"\n")
    assert read_key(file) == KEY
