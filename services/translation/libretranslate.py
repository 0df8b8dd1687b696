"""A service in the form of LibreTranslate's API: `POST /translate` with `q`, `source`, `target`, `format`, `api_key`.

It is outside the exchange and not trusted: what it says is bounded in time and size, and taken as text alone.
"""

import asyncio
from typing import Annotated, Any, Final

import httpx
from pydantic import BaseModel, StringConstraints, ValidationError

from services.translation.machine import NoTranslation

_LARGEST_ANSWER: Final = 64 * 1024
_LONGEST_TEXT: Final = 16_000


class _Answer(BaseModel):
    translatedText: Annotated[  # noqa: N815 - its name in the API
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=_LONGEST_TEXT)
    ]


class LibreTranslate:
    """The adapter. Nothing is connected to before the first text."""

    def __init__(self, url: str, key: str | None, timeout: float) -> None:
        """`url` is that of `translate` itself; one text may take `timeout` seconds in all."""
        self._url = url
        self._key = {"api_key": key} if key else {}
        self._timeout = timeout
        # Nothing of this machine's environment, and no redirection, sends texts anywhere else.
        self._client = httpx.AsyncClient(timeout=timeout, trust_env=False, follow_redirects=False)

    async def close(self) -> None:
        """Close what is open."""
        await self._client.aclose()

    async def __call__(self, text: str, source: str, target: str) -> str:
        """Return the translation. Raises `NoTranslation`."""
        asked = {"q": text, "source": source, "target": target, "format": "text", **self._key}
        try:
            async with asyncio.timeout(self._timeout):
                return _Answer.model_validate_json(await self._post(asked)).translatedText
        except (httpx.HTTPError, TimeoutError, ValidationError) as error:
            raise NoTranslation(type(error).__name__) from None

    async def _post(self, asked: dict[str, Any]) -> bytes:
        headers = {"accept-encoding": "identity"}
        async with self._client.stream("POST", self._url, json=asked, headers=headers) as answer:
            if answer.status_code != httpx.codes.OK:
                raise NoTranslation(str(answer.status_code))
            body = b""
            async for part in answer.aiter_raw():
                body += part
                if len(body) > _LARGEST_ANSWER:
                    raise NoTranslation("too much")
            return body
