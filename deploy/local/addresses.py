"""Where the servers are, and how to log in to them."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from contracts.addresses import trusting


@dataclass(frozen=True)
class Credentials:
    """A user's name and password; the password is kept out of what is printed."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Addresses:
    """One RabbitMQ and one MongoDB; the URLs of its own fields carry no credentials.

    `prometheus_url` and `replica_set` are None where they are not known.
    """

    amqp_host: str
    amqp_port: int
    management_url: str
    prometheus_url: str | None
    mongo_host_port: str
    replica_set: str | None
    rabbit_admin: Credentials
    mongo_admin: Credentials
    ca: Path | None = None
    """The authority that signed the servers' certificates; without it nothing is encrypted."""

    def amqp_url(self, user: str, password: str, vhost: str = "/") -> str:
        """The broker's URL for a user and virtual host."""
        scheme = "amqps" if self.ca else "amqp"
        return self._trusting(f"{scheme}://{login(user, password)}@{self.amqp_host}:{self.amqp_port}/{quoted(vhost)}")

    def management_url_for(self, user: str, password: str) -> str:
        """The management API's URL for a user."""
        scheme, rest = self.management_url.split("://", 1)
        return self._trusting(f"{scheme}://{login(user, password)}@{rest}")

    def mongo_url(self, user: str, password: str, auth_source: str = "admin") -> str:
        """MongoDB's URL for a user of the database `auth_source`."""
        url = f"mongodb://{login(user, password)}@{self.mongo_host_port}/?authSource={quoted(auth_source)}"
        return self._trusting(f"{url}&replicaSet={self.replica_set}" if self.replica_set else url)

    def _trusting(self, url: str) -> str:
        return trusting(url, str(self.ca)) if self.ca else url


def login(user: str, password: str) -> str:
    """A URL's part before the `@`."""
    return f"{quoted(user)}:{quoted(password)}"


def quoted(text: str) -> str:
    """The text as it may stand in any part of a URL."""
    return quote(text, safe="")
