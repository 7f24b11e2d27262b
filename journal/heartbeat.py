"""The heartbeat: a web address that is called after each look, so that silence is noticed."""

import threading
from collections.abc import Callable

from inventory.secret import Secret

PATIENCE = 5.0  # seconds; also where a name server hangs, which no client's timeout covers


class HeartbeatError(Exception):
    """The heartbeat was not taken. Its address is not in the words."""


def beat(reference: str) -> None:
    """Call the address once. Raises InventoryError or HeartbeatError."""
    url = Secret(reference).reveal()
    error = _within(lambda: _call(url, PATIENCE), PATIENCE)
    if error:
        raise HeartbeatError(f"{reference}: {error}")


def _call(url: str, patience: float) -> str:
    import httpx  # 0.05 s, for those alone who have a heartbeat

    try:
        answer = httpx.get(url, timeout=patience, follow_redirects=True)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return type(error).__name__
    return "" if answer.is_success else f"answered {answer.status_code}"


def _within(work: Callable[[], str], seconds: float) -> str:
    """What `work` returns; its thread dies with the process when that takes longer."""
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(work()), daemon=True)
    thread.start()
    thread.join(seconds)
    return said[0] if said else f"no answer in {seconds:g} s"
