"""One YAML file as a mapping, or refused with file, line and column."""

from pathlib import Path
from typing import Any

import yaml

from inventory.errors import InventoryError

MOST_NODES = 200_000  # after every alias stands for what it means; 1,000 services have 20,000


class _Loader(yaml.CSafeLoader):
    """libyaml's SafeLoader that refuses a key which stands twice, where YAML keeps the last."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, dict | list):
            raise yaml.constructor.ConstructorError(
                None, None, "a key should be a word", key_node.start_mark
            )
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} stands twice", key_node.start_mark
            )
        seen.add(key)
    return dict(yaml.CSafeLoader.construct_mapping(loader, node, deep=True))


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in `path`. Raises InventoryError with file, line and column."""
    try:
        content = _load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InventoryError(f"{short(path)}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InventoryError(f"{short(path)}: is not UTF-8 text") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise InventoryError(f"{short(path)}{where}: YAML: {error.problem}") from error
    except RecursionError as error:
        raise InventoryError(f"{short(path)}: YAML: nested too deeply") from error
    except (yaml.YAMLError, TypeError, ValueError, OverflowError) as error:
        words = " ".join(str(error).split())
        raise InventoryError(f"{short(path)}: YAML: {words}") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise InventoryError(f"{short(path)}: should be a mapping of names to entries")
    return content


def _load(text: str) -> Any:
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _weigh(root, {})
        return loader.construct_document(root)
    except ValueError as error:  # a date that no calendar has, a number of thousands of digits
        if isinstance(error, UnicodeError):
            raise
        raise yaml.YAMLError(f"holds a number or a date that is none ({error})") from error
    finally:
        loader.dispose()


def _weigh(node: yaml.Node, known: dict[yaml.Node, int]) -> int:
    """How many values `node` stands for. A few aliases of aliases may stand for billions."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if node in known:
        if not known[node]:
            raise _too_much(node, "an alias that holds itself")
        return known[node]
    known[node] = 0
    pairs = isinstance(node, yaml.MappingNode)
    inner = [part for pair in node.value for part in pair] if pairs else node.value
    weight = 1 + sum(_weigh(part, known) for part in inner)
    if weight > MOST_NODES:
        raise _too_much(node, f"stands for more than {MOST_NODES} values")
    known[node] = weight
    return weight


def _too_much(node: yaml.Node, words: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=words, problem_mark=node.start_mark)


def short(path: Path) -> str:
    """`path` as an operator names it: below the checkout, from there."""
    root = Path(__file__).resolve().parent.parent
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
