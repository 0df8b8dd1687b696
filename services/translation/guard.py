"""Whether free text is in the language of its mark. What it says is a warning: texts are never refused for it.

The model is loaded when the first text long enough comes: a replica that renders none never has it in memory.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Final, Protocol

import structlog

from contracts.languages import LANGUAGES
from services.chassis.logs import where
from services.translation.freetext import Said
from services.translation.metrics import DOUBTS

SHORTEST: Final = 25
"""Letters of a text worth a look: names and numbers are in no language."""
LONGEST: Final = 400
"""Letters that are looked at: more of them make nobody surer."""
SURE: Final = 0.5
"""How probable another language must be."""
SURE_AMONG_NEIGHBOURS: Final = 0.65
NEIGHBOURS: Final = frozenset({"da", "nb"})
"""Danish and Norwegian Bokmål share most of their words."""
REMEMBERED: Final = 10_000

_NAMES: Final[Mapping[str, tuple[str, ...]]] = {"nb": ("no", "nn")}
"""What the model calls a language, where it calls it otherwise."""
_OURS: Final = {name: language for language, names in _NAMES.items() for name in names}

log = structlog.get_logger()


class Model(Protocol):
    """Tells languages apart."""

    def rank(self, text: str) -> list[tuple[str, float]]:
        """Return each language with its probability."""


class Guard:
    """Remembers of a text only a digest, and what came of it."""

    def __init__(self, load: Callable[[], Model] | None = None) -> None:
        """`load` takes half a second, and is called once at most, in a thread."""
        self._load = load or load_model
        self._loading: asyncio.Future[Model | None] | None = None
        self._model: Model | None = None
        self._seen: dict[bytes, str | None] = {}

    async def mark(self, texts: Iterable[Said]) -> None:
        """Put `looks_like` beside each text that seems to be in another language than its mark says."""
        for said in texts:
            if len(said.text) >= SHORTEST and (found := await self.doubt(said.text, said.language)):
                said.holder["looks_like"] = {"code": found}

    async def doubt(self, text: str, language: str) -> str | None:
        """Return the language that a text seems to be in, or nothing where its mark may be right."""
        digest = blake2b(text.encode(errors="replace"), digest_size=16, person=language.encode()).digest()
        if digest not in self._seen:
            model = self._model or await self._loaded()
            if model is None:
                return None
            if len(self._seen) >= REMEMBERED:
                self._seen.clear()
            self._seen[digest] = found = another(model, text, language)
            if found:
                DOUBTS.labels(language).inc()
        return self._seen[digest]

    async def _loaded(self) -> Model | None:
        """Return the model; nothing when it cannot be loaded, which is said once and stops nothing."""
        if self._loading is None:
            self._loading = asyncio.ensure_future(self._try())
        self._model = await asyncio.shield(self._loading)
        return self._model

    async def _try(self) -> Model | None:
        try:
            return await asyncio.to_thread(self._load)
        except Exception as error:  # noqa: BLE001 - whatever it is, texts go out without a warning
            log.warning("no language guard", where=where(error))
            return None


def another(model: Model, text: str, language: str) -> str | None:
    """Return another language than that of the mark, if the text is surely in it."""
    shares: dict[str, float] = {}
    for name, share in model.rank(text[:LONGEST]):
        ours = _OURS.get(name, name)
        shares[ours] = shares.get(ours, 0.0) + share
    likely = max(shares, key=lambda one: shares[one])
    sure = SURE_AMONG_NEIGHBOURS if {likely, language} == NEIGHBOURS else SURE
    return likely if language in shares and likely != language and shares[likely] >= sure else None


def load_model() -> Model:
    """Return the model, of the exchange's languages alone."""
    # Here and not above: numpy and the model would be in the memory of a replica that needs neither.
    from services.translation.model import read_model  # noqa: PLC0415

    model: Model = read_model(name for one in LANGUAGES for name in _NAMES.get(one, (one,)))
    return model
