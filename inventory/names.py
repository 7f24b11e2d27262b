"""The names of services: which a service answers to, and which only lead to it."""

from typing import Annotated

from pydantic import AfterValidator

from inventory.fields import LABEL, Matching

SAMPLE = "twinedge-verify"  # stands for any name where one has to be asked

Alias = Annotated[
    str,
    AfterValidator(
        Matching(
            rf"(?=.{{1,253}}$)(\*|(\*\.)?{LABEL}(\.{LABEL})*)",
            "a name such as photos, photos.example.org, *.apps, or * for every other name",
        )
    ),
]


def full(name: str, domain: str) -> str:
    """`plex` stands for plex.DOMAIN, `*` for *.DOMAIN; what has a dot stays as it is."""
    if name == "*":
        return f"*.{domain}"
    star, rest = ("*.", name[2:]) if name.startswith("*.") else ("", name)
    return f"{star}{rest}" if "." in rest else f"{star}{rest}.{domain}"


def parent_of(name: str) -> str | None:
    """Of a wildcard: below what its names lie."""
    return name.removeprefix("*.") if name.startswith("*.") else None


def sample_of(name: str) -> str:
    """A name that a request can bear: of a wildcard one that nobody has."""
    return name.replace("*", SAMPLE, 1)


def is_below(name: str, parent: str) -> bool:
    return name == parent or name.endswith(f".{parent}")
