"""What `kubectl kustomize` makes of the overlays, and ways to look at it."""

import subprocess
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from contracts.topology import SERVICES
from deploy.compose.credentials import NAMES
from deploy.kubernetes import credentials as made
from deploy.kubernetes.kubectl import NotToBeHadError, render

FOLDER: Final = Path(__file__).parents[2] / "deploy" / "kubernetes"
OVERLAYS: Final = ("small", "production")
PROCESSES: Final = (*SERVICES, "provisioner")
VERSION: Final = "1.34"
"""Of Kubernetes: the schemas that everything is held against."""
PASSWORDS = {name: f"{name.replace('/', '-')}-word" for name in NAMES}
WANTED = {
    "small": made.Wanted("smtp://mail.example:587", members=1),
    "production": made.Wanted("smtps://user:word@mail.example", tls=True),
}
OVERLAY = pytest.mark.parametrize("name", OVERLAYS)
EACH = pytest.mark.parametrize(("name", "service"), list(product(OVERLAYS, PROCESSES)))

Manifest = dict[str, Any]


@cache
def overlay(name: str) -> tuple[Manifest, ...]:
    """All objects of an overlay; skips the test when there is no kubectl to be had."""
    try:
        text = render(FOLDER / "overlays" / name)
    except NotToBeHadError as reason:
        pytest.skip(str(reason))
    except subprocess.CalledProcessError as failure:
        pytest.fail(failure.stderr)
    return tuple(yaml.safe_load_all(text))


def of_kind(name: str, *kinds: str) -> list[Manifest]:
    """The objects of these kinds."""
    return [one for one in overlay(name) if one["kind"] in kinds]


def named(name: str, kind: str, called: str) -> Manifest:
    """The one object of a kind and name."""
    (found,) = (one for one in of_kind(name, kind) if one["metadata"]["name"] == called)
    return found


def pods(name: str) -> Iterator[tuple[str, Manifest]]:
    """Name and specification of every pod that these manifests describe themselves."""
    for pod, template in templates(name):
        yield pod, template["spec"]


def templates(name: str) -> Iterator[tuple[str, Manifest]]:
    """The same, with the labels."""
    for one in of_kind(name, "Deployment", "StatefulSet", "Job", "CronJob"):
        spec = one["spec"]["jobTemplate"]["spec"] if one["kind"] == "CronJob" else one["spec"]
        yield one["metadata"]["name"], spec["template"]


def containers(pod: Manifest) -> list[Manifest]:
    """Those that run before the others too."""
    return [*pod.get("initContainers", []), *pod["containers"]]


def environment(pod: Manifest) -> dict[str, str]:
    """The variables of a pod's only container; one that is no plain text is left empty."""
    (container,) = pod["containers"]
    return {one["name"]: one.get("value", "") for one in container.get("env", [])}


def secrets_of(pod: Manifest) -> set[str]:
    """The Secrets that a pod mounts, whole or in part."""
    parts = [source for volume in pod["volumes"] for source in volume.get("projected", {}).get("sources", [])]
    whole = {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
    return whole | {part["secret"]["name"] for part in parts}


def settings(text: str) -> dict[str, str]:
    """The lines of a configuration of RabbitMQ's."""
    lines = [line.partition("=") for line in text.splitlines() if line and not line.startswith("#")]
    return {key.strip(): value.strip() for key, _, value in lines}
