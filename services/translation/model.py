"""Read py3langid's model of the exchange's languages alone, in little memory and without a file in between.

The library's own loader needs 65 MB of temporary files and has the tables of 140 languages in memory at once: more than
a container of this service has. The file is an `npz` inside LZMA: arrays one after the other, each stored as it is.
"""

import lzma
import struct
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
import py3langid  # type: ignore[import-untyped]
from numpy.lib import format as npy
from py3langid.langid import LanguageIdentifier  # type: ignore[import-untyped]

FILE: Final = Path(py3langid.__file__).parent / "data" / "model.npz.xz"
_MEMBER: Final = struct.Struct("<4s22xHH")
"""A zip archive's local header: its signature, and how long the name and the extra field are that follow."""
_SIGNATURE: Final = b"PK\x03\x04"
_TYPE_CODES: Final = {("u", 2): "H", ("u", 4): "I", ("i", 4): "i"}
_AT_ONCE: Final = 1 << 20

Array = np.ndarray[Any, Any]


def read_model(languages: Iterable[str], file: Path = FILE) -> Any:
    """Return what tells those of `languages` apart that it knows. Raises ValueError for a file of another form."""
    wanted = set(languages)
    with lzma.open(file) as source:
        table, prior, classes = (_table(source, name) for name in ("ptc", "pc", "classes"))
        names = classes.tolist()
        columns = [index for index, name in enumerate(names) if name in wanted]
        table = np.ascontiguousarray(table[:, columns])  # before the next array comes: the whole one is large
        moves, rows, features = (_plain(source, name) for name in ("nextmove", "nextmove_row", "out_feat"))
    known = [names[index] for index in columns]
    return LanguageIdentifier(table, prior[columns], known, moves, features, norm_probs=True, tk_row=rows)


def _table(source: lzma.LZMAFile, name: str) -> Array:
    shape, dtype = _announced(source, name)
    table = np.empty(shape, dtype)
    _fill(source, memoryview(table.reshape(-1).view(np.uint8)))  # type: ignore[arg-type] # it is one
    return table


def _plain(source: lzma.LZMAFile, name: str) -> "array[int]":
    """Return an array of numbers as Python's own, whose items are read many times faster one by one."""
    (length,), dtype = _announced(source, name)
    plain = array(_TYPE_CODES[dtype.kind, dtype.itemsize], bytes(length * dtype.itemsize))
    _fill(source, memoryview(plain).cast("B"))
    return plain


def _announced(source: lzma.LZMAFile, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return the shape and the type of the next array of the archive, which must have this name."""
    signature, name_length, extra_length = _MEMBER.unpack(source.read(_MEMBER.size))
    if signature != _SIGNATURE or source.read(name_length) != f"{name}.npy".encode():
        raise ValueError(f"the model has no {name} where it should")
    source.read(extra_length)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[npy.read_magic(source)]
    shape, _, dtype = read_header(source)
    return shape, dtype


def _fill(source: lzma.LZMAFile, place: memoryview) -> None:
    """Read as much as there is place for, a little at a time: one large read would be in memory twice."""
    filled = 0
    while filled < len(place):
        part = source.read(min(_AT_ONCE, len(place) - filled))
        if not part:
            raise ValueError("the model ends too early")
        place[filled : filled + len(part)] = part
        filled += len(part)
