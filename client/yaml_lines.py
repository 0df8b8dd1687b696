"""Read YAML 1.2, in which `yes` and `no` are words, and know the line of every part."""

import re
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Step = str | int


class LegislationError(Exception):
    """A mistake in a file of an area: which file, which line where known, and what is wrong."""

    def __init__(self, file: Path, line: int | None, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}" if line else f"{file}: {reason}")
        self.file, self.line, self.reason = file, line, reason


@dataclass(frozen=True)
class Document:
    """A parsed YAML file: plain data, and the tree that knows the lines."""

    file: Path
    data: Any
    root: yaml.Node

    def error(self, path: tuple[Step, ...], reason: str) -> LegislationError:
        """Return an error that names the line of the innermost part of `path` which the file has."""
        node = self.root
        for step in path:
            node = _child(node, step) or node
        return LegislationError(self.file, node.start_mark.line + 1, reason)


def parse(file: Path) -> Document:
    """Read one YAML document; raise LegislationError where it is absent, empty or not YAML."""
    text = decoded(file)
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            raise LegislationError(file, 1, "is empty")
        return Document(file, loader.construct_document(root), root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise LegislationError(file, mark.line + 1 if mark else 1, error.problem or "is not YAML") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise LegislationError(file, line, f"has a character that YAML has not: {error.reason}") from error
    except (ValueError, RecursionError) as error:
        raise LegislationError(file, 1, f"is not YAML: {type(error).__name__}") from error


def decoded(file: Path) -> str:
    """Return the text of a file; raise LegislationError where it is absent or not UTF-8."""
    try:
        content = file.read_bytes()
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LegislationError(file, content.count(b"\n", 0, error.start) + 1, "is not UTF-8") from error
    except OSError as error:
        raise LegislationError(file, None, f"cannot be read: {error.strerror}") from error


class _Loader(yaml.SafeLoader):
    """SafeLoader reads YAML 1.1, where `yes` is true and a repeated key silently wins."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is a word", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} stands here twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_NOT_IN_1_2 = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NOT_IN_1_2]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def _child(node: yaml.Node, step: Step) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        item: yaml.Node = node.value[step]
        return item
    return None
