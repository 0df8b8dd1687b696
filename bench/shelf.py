"""Collections of which there are several, one of them at hand: what is stored is exchanged in no time.

The one at hand has the name by which services know it; the others stand beside it, under that name and a size. So what
is compared can take turns, and a machine that is busy for a while decides nothing.
"""

from collections.abc import MutableMapping, Sequence
from typing import Any, Final

from pymongo import IndexModel, MongoClient
from pymongo.collection import Collection

Document = dict[str, Any]
Client = MongoClient[Document]
Place = tuple[str, str]
"""A database and a collection's name."""

UNSIZED: Final = -1
_OWN_FIELDS: Final = frozenset({"v", "ns", "key", "name"})


class Shelf:
    """Some places, and what stands in them by size. No service that uses one of them may run while it is changed."""

    def __init__(self, client: Client, places: Sequence[Place]) -> None:
        """What is at hand now has no size."""
        self._client = client
        self._places = places
        self._size = UNSIZED

    def add(self, size: int) -> dict[Place, Collection[Document]]:
        """Return a copy of what is at hand, as a new size, to be filled. It has no index before `index` makes them."""
        for database, name in self._places:
            self._client[database][name].aggregate([{"$out": _beside(name, size)}])
        return {place: self._client[place[0]][_beside(place[1], size)] for place in self._places}

    def index(self, size: int) -> None:
        """Make the indexes that the ones at hand have: after the filling, for that takes a third of the time."""
        for database, name in self._places:
            wanted = [_model(one) for one in self._client[database][name].list_indexes() if one["name"] != "_id_"]
            if wanted:
                self._client[database][_beside(name, size)].create_indexes(wanted)

    def bring(self, size: int) -> None:
        """Have this size at hand."""
        if size == self._size:
            return
        for database, name in self._places:
            self._rename(database, name, _beside(name, self._size))
            self._rename(database, _beside(name, size), name)
        self._size = size

    def _rename(self, database: str, old: str, new: str) -> None:
        self._client.admin.command("renameCollection", f"{database}.{old}", to=f"{database}.{new}")


def _beside(name: str, size: int) -> str:
    return f"{name}-{size}"


def _model(index: MutableMapping[str, Any]) -> IndexModel:
    options = {name: value for name, value in index.items() if name not in _OWN_FIELDS}
    return IndexModel(list(index["key"].items()), name=index["name"], **options)
