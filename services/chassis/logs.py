"""Structured logs: a JSON object a line, on standard output. Never the content of an answer, never a secret."""

import json
import logging
import sys
import traceback

import structlog

_OURS = ("services", "contracts")


def configure(service: str, level: str) -> None:
    """Log everything from `level` up, each line with the service's name."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Wordless())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


class _Wordless(logging.Formatter):
    """What libraries log, without their words: some quote whole messages, some the addresses of servers."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the place that logged, and the kind of error."""
        error = record.exc_info[0] if record.exc_info else None
        kind = {"error": error.__name__} if error else {}
        place = f"{record.pathname}:{record.lineno}"
        return json.dumps({"logger": record.name, "level": record.levelname.lower(), "where": place, **kind})


def where(error: BaseException) -> list[str]:
    """Return the error's kind and the places it passed, without its words: a database's error quotes the document."""
    frames = traceback.extract_tb(error.__traceback__)
    return [type(error).__name__, *(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)]


def place_of(error: BaseException) -> str:
    """Return the last place of our own code that the error passed: `services/casework/handlers.py:120 _answer`."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if any(f"/{top}/" in f.filename for top in _OURS)]
    if not frames:
        return ""
    start = max(frames[-1].filename.rfind(f"/{top}/") for top in _OURS) + 1
    return f"{frames[-1].filename[start:]}:{frames[-1].lineno} {frames[-1].name}"
