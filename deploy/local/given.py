"""Servers that somebody else runs, from their addresses in the environment."""

import os
from urllib.parse import SplitResult, unquote, urlsplit

from pymongo.uri_parser import parse_uri

from deploy.local.addresses import Addresses, Credentials
from deploy.local.server import NotOursError


class GivenServer:
    """A `Server` that we may use, and nothing else."""

    def kill(self) -> None:
        """See `Server`; raises NotOursError, as all of these."""
        raise NotOursError("this server was given by its address")

    stop = start = pause = resume = kill


def given_addresses() -> Addresses:
    """Read the addresses, with the administrators' credentials, from the variables of `supply.GIVEN`."""
    amqp = urlsplit(os.environ["IMI_TEST_AMQP_URL"])
    management = urlsplit(os.environ["IMI_TEST_MANAGEMENT_URL"])
    mongo = parse_uri(os.environ["IMI_TEST_MONGO_URL"])
    host, port = mongo["nodelist"][0]
    return Addresses(
        amqp_host=amqp.hostname or "localhost",
        amqp_port=amqp.port or 5672,
        management_url=management._replace(netloc=management.netloc.rpartition("@")[2]).geturl().rstrip("/"),
        prometheus_url=None,
        mongo_host_port=f"{host}:{port}",
        replica_set=mongo["options"].get("replicaSet"),
        rabbit_admin=credentials(amqp),
        mongo_admin=Credentials(mongo["username"] or "", mongo["password"] or ""),
    )


def credentials(url: SplitResult) -> Credentials:
    """A URL's user and password."""
    return Credentials(unquote(url.username or "guest"), unquote(url.password or "guest"))
