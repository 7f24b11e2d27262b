"""Seeded mutations of a site's YAML: what people mistype, paste, and what somebody may plant."""

import random
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import yaml

Texts = dict[str, str]  # file name without its ending -> YAML
Key = tuple[str | int, ...]

VALUES: tuple[Any, ...] = (
    None, "", " ", 0, -1, 1, 10**30, 2**63, 1.5, 0.0001, float("inf"), float("nan"), True, False,
    [], {}, [[]], {"": ""}, [None], {"a": {"b": []}}, "null", "~", "0x10", "1e3", "010",
    "vps1", "vps2", "unraid", "vps9", "VPS1", "a.b", "a" * 64, "a" * 300, "-", ".", "..", "/",
    "//", "/etc", "/etc/../etc", "/root", "/root/.ssh/x", "/etc/cron.d", "/usr/sbin/x", "~/x", "~",
    "/srv/x y", "/var/lib/x", "/mnt/user/x", "0.0.0.0", "255.255.255.255", "127.0.0.1", "1.2.3.4",
    "100.64.0.1", "100.100.100.100", "224.0.0.1", "::1", "fd7a:115c:a1e0::1", "100.64.0.1/10",
    "home.example", "*.home.example", "HOME.example", "xn--nxasmq6b.example", "ü.example",
    "$(touch x)", "`id`", "${HOME}", "{$HOME}", "{{ x }}", "{% x %}", "%h", "%i", "'", '"', "\\",
    "a'b", 'a"b', "a\nb", "a\rb", "a\tb", "a\x00b", "a\x1bb", "\u202eabc", "a\u200bb", "\u2028",
    "\ud800", "#", "a #b", "a: b", "- a", "[a", "{a", "&a", "*a", "!x", "|", ">", "@", "%",
    "env:HOME", "env:", "env:NOT SET", "file:/nowhere", "file:", "file:/etc", "cmd:true", "cmd:",
    "cmd:echo x", "http://a", "https://a.example/x?token=abcdefghij", "ftp://a", "https://u:p@a",
    "ghp_0123456789abcdefghij", "Mon 25:00-26:00", "Fri 18:00-02:00", "04:30", "24:00", "1h", "0s",
    "9999d", "1w", "protected", "open", "tailnet", "public", "http", "dns", "edge", "media",
    "docker", "systemd", "unraid", "internal", "files", "acme-dns", "reload", "restart", 22, 53, 80,
    443, 2019, 8081, 20241, 65535, 65536, 7878, "7878", 3001,
)  # fmt: skip
KEYS = ("", " ", "x", "on", "1", "hosts", "primary", "data", "port", "name", "<<", "__class__",
        "ssh_strict", "front", "caddy", "refuse", "headers", "User-Agent", "/",
        "\u202ex", "a" * 200)  # fmt: skip
SNIPPETS = (
    "\t", "  ", "\n", ":", "-", "'", '"', "{", "}", "[", "]", "#", "&a ", "*a ",
    "!!python/name:os ",
    "2026-13-45", "2026-02-30T99:00:00Z", "9" * 5000, "0o99", "1:99:99", "? ",
    "%YAML 9.9\n", "---\n",
    "...\n", "\x00", "\ufeff", "é", "<<: *a\n",
)  # fmt: skip


def mutation(texts: Mapping[str, str], seed: int) -> tuple[Texts, str]:
    """`texts` with one to three things changed, and in words what."""
    rng = random.Random(f"inventory {seed}")
    changed, words = dict(texts), []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        name = rng.choice(sorted(changed))
        changed[name], what = rng.choice(WAYS)(changed[name], rng)
        words.append(f"{name}: {what}")
    return changed, "; ".join(words)


def _replace(text: str, rng: random.Random) -> tuple[str, str]:
    value = rng.choice(VALUES)
    return _edit(text, rng, lambda parent, key: parent.__setitem__(key, deepcopy(value)), value)


def _remove(text: str, rng: random.Random) -> tuple[str, str]:
    return _edit(text, rng, lambda parent, key: parent.__delitem__(key), "removed")


def _add(text: str, rng: random.Random) -> tuple[str, str]:
    word, value = rng.choice(KEYS), rng.choice(VALUES)

    def add(parent: Any, _: str | int) -> None:
        if isinstance(parent, dict):
            parent[word] = deepcopy(value)
        else:
            parent.append(deepcopy(value))

    return _edit(text, rng, add, f"and {word!r}: {value!r}")


def _swap(text: str, rng: random.Random) -> tuple[str, str]:
    """One entry takes the value of another of the same file."""
    content = _parsed(text)
    places = list(_places(content))
    if not places:
        return text, "nothing to swap"
    other, key = rng.choice(places)
    value = deepcopy(other[key])
    return _edit(text, rng, lambda parent, at: parent.__setitem__(at, value), value)


def _garble(text: str, rng: random.Random) -> tuple[str, str]:
    at = rng.randrange(len(text) + 1)
    snippet = rng.choice(SNIPPETS)
    return text[:at] + snippet + text[at:], f"{snippet[:20]!r} at {at}"


def _cut(text: str, rng: random.Random) -> tuple[str, str]:
    at = rng.randrange(len(text) + 1)
    length = rng.choice((1, 1, 3, 40, len(text)))
    return text[:at] + text[at + length :], f"{length} characters less at {at}"


def _alias(text: str, rng: random.Random) -> tuple[str, str]:
    """One value stands for many."""
    depth = rng.choice((1, 3, 12))
    lines = ["alias0: &a0 [x, x, x, x]"]
    lines += [
        f"alias{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, depth)
    ]
    return f"{text}\n" + "\n".join(lines) + "\n", f"aliases {depth} deep"


def _many(text: str, rng: random.Random) -> tuple[str, str]:
    """An entry a hundred times."""
    content = _parsed(text)
    folders = [value for parent, key in _places(content) if isinstance(value := parent[key], dict)]
    if not folders:
        return text, "nothing to repeat"
    folder = rng.choice(folders)
    for name in list(folder)[:1]:
        folder.update({f"{name}-{n}": deepcopy(folder[name]) for n in range(100)})
    return _dumped(content), "a hundred copies of an entry"


WAYS: tuple[Callable[[str, random.Random], tuple[str, str]], ...] = (
    *(_replace,) * 8, _remove, _remove, _add, _add, _swap, _swap, _garble, _cut, _alias, _many,
)  # fmt: skip


def _edit(
    text: str, rng: random.Random, act: Callable[[Any, Any], None], what: object
) -> tuple[str, str]:
    content = _parsed(text)
    places = list(_places(content))
    if not places:
        return text, "nothing to change"
    parent, key = rng.choice(places)
    act(parent, key)
    return _dumped(content), f"{key}: {str(what)[:60]!r}"


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    """(parent, key) of every value in it; once, where aliases lead to it many times."""
    seen: set[int] = set()

    def below(parent: Any) -> Iterator[tuple[Any, Any]]:
        if not isinstance(parent, dict | list) or id(parent) in seen:
            return
        seen.add(id(parent))
        for key in list(parent) if isinstance(parent, dict) else range(len(parent)):
            yield parent, key
            yield from below(parent[key])

    return below(content)


def _parsed(text: str) -> Any:
    try:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError):  # an earlier change has broken it
        return None


def _dumped(content: Any) -> str:
    return yaml.dump(content, sort_keys=False, allow_unicode=True, Dumper=yaml.SafeDumper)
