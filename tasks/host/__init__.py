"""What runs on a host: programs in POSIX sh, sent over the session or laid beside a release."""

from functools import cache
from pathlib import Path


@cache
def host_side(name: str) -> str:
    """The text of one of them, such as `release.sh`."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
