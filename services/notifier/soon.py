"""Writes that need not outlive a change of primary: to wait until they do costs the database most of the write.

So with whatever is looked at again by a write that does wait, before anything depends on it: a turn or a claim before
each mail, and what is noted as told by what is remembered of the mail.
"""

from typing import Final

from pymongo import WriteConcern

from services.chassis.mongo import Collection

_SOON: Final = WriteConcern(w=1)


def soon(collection: Collection) -> Collection:
    """Return the collection, whose writes are not waited for until a majority has them in its journal."""
    return collection.with_options(write_concern=_SOON)
