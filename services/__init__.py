"""The four services, and the chassis under them.

Three libraries load others that they could make use of and that no service does, if they are there: a tenth of the
memory of an idle process. They are told that they are not.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """Have an import of these modules fail, as where they are not installed, unless they are loaded already."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # nothing in a module's place: it is not there
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with _without("rich"):  # coloured logs for a terminal: ours are JSON
    import structlog  # noqa: F401
with _without("pymongo.pyopenssl_context"):  # TLS by PyOpenSSL and all of `cryptography`: Python's own does
    import pymongo.ssl_support  # noqa: F401
# A program for a terminal. Never loaded by anybody: it stays away, for httpx itself is not loaded by every service.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # as above: it is not there
