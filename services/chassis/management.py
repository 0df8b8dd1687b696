"""RabbitMQ's management API, for the provisioner and for `imi topology apply` alone."""

import httpx

from contracts.topology import Definitions


class BrokerAway(ConnectionError):
    """The management API does not answer, or not yet."""


class Management:
    """The broker as its administrator sees it."""

    def __init__(self, url: str) -> None:
        """`url` holds the administrator's name and password."""
        self._client = httpx.AsyncClient(base_url=url, timeout=30)

    async def apply(self, definitions: Definitions) -> None:
        """Make what is not there yet; what is there stays. Raises `BrokerAway` when it cannot be reached.

        Raises `httpx.HTTPStatusError` when the broker refuses.
        """
        try:
            response = await self._client.post("/api/definitions", json=definitions)
        except httpx.TransportError as error:
            raise BrokerAway from error
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise BrokerAway(response.status_code)
        response.raise_for_status()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
