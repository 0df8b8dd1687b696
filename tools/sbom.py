"""A bill of materials (CycloneDX 1.6) for each image, from its lock: what is in it, in which version, wanted by what.

    python -m tools.sbom [FOLDER]

writes `<image>.cdx.json` into a folder, by default `.local/sbom`. The same lock gives the same file, to the byte: no
time and no random number is in it.
"""

import hashlib
import re
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Final

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.bom_ref import BomRef
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from tools.locks import IMAGES, LOCKS, PROJECT, ROOT, Locked, read

FOLDER: Final = ROOT / ".local" / "sbom"
VERSION: Final = SchemaVersion.V1_6
_NAMESPACE: Final = uuid.UUID("6f3d0c0e-6b0a-5c57-9e7b-2f6b1d1c8a11")


def bill_of(image: str) -> str:
    """Return the bill of materials of an image, as JSON."""
    lock = LOCKS[image]
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    packages = read(lock)
    components = [_component(one) for one in packages]
    itself = _image(image, lock, digest)
    # A package may be there in two versions, for different versions of Python.
    wanted: dict[str, list[Component]] = {name: [] for name in (PROJECT, *(one.name for one in packages))}
    for one, component in zip(packages, components, strict=True):
        for other in one.wanted_by:
            wanted[other].append(component)
    bom = Bom(
        serial_number=uuid.uuid5(_NAMESPACE, f"{image} {digest}"),
        metadata=BomMetaData(component=itself),
        components=[*components, _base(image)],
        dependencies=[_depends(itself, wanted[PROJECT]), *(_depends(one, wanted[one.name]) for one in components)],
    )
    bom.metadata.timestamp = None  # type: ignore[assignment]  # may be left out: the same lock, the same file
    return make_outputter(bom, OutputFormat.JSON, VERSION).output_as_string(indent=2) + "\n"


def _image(image: str, lock: Path, digest: str) -> Component:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    about = {"imi:lock": str(lock.relative_to(ROOT)), "imi:lock:sha256": digest}
    return Component(
        name=image,
        version=project["version"],
        type=ComponentType.CONTAINER,
        bom_ref=image,
        properties=[Property(name=name, value=value) for name, value in about.items()],
    )


def _base(image: str) -> Component:
    """The image that it is built on, as its recipe names it."""
    recipe = (IMAGES[image] / "Dockerfile").read_text()
    found = re.search(r"^ARG PYTHON_IMAGE=(?P<name>\S+):(?P<tag>\S+)$", recipe, re.MULTILINE)
    assert found
    reference = f"{found['name']}:{found['tag']}"
    return Component(name=found["name"], version=found["tag"], type=ComponentType.CONTAINER, bom_ref=reference)


def _component(package: Locked) -> Component:
    purl = PackageURL(type="pypi", name=package.name, version=package.version)
    marker = [Property(name="imi:marker", value=package.marker)] if package.marker else []
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=str(purl),
        properties=marker,
    )


def _depends(component: Component, on: list[Component]) -> Dependency:
    return Dependency(BomRef(component.bom_ref.value), [Dependency(BomRef(one.bom_ref.value)) for one in on])


def main(folder: Path = FOLDER) -> None:
    """Write all."""
    folder.mkdir(parents=True, exist_ok=True)
    for image in IMAGES:
        file = folder / f"{image}.cdx.json"
        file.write_text(bill_of(image))
        print(file)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:2]))
