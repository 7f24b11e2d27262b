"""The API token: which kind it is, whether it is alive, and until when."""

import re
from datetime import datetime

from pydantic import BaseModel

from inventory.errors import InventoryError
from inventory.secret import Secret
from outside.client import Api, NotPermitted, Rejected

# Cloudflare's prefixes of user and account tokens; those of before 2026 have none.
USER, ACCOUNT, GLOBAL_KEY = "cfut_", "cfat_", "cfk_"


class Standing(BaseModel, frozen=True):
    """What Cloudflare says of a token."""

    status: str
    expires_on: datetime | None = None


def read_token(reference: str) -> str:
    """The text of the token. Raises InventoryError, which never holds it."""
    text = Secret(reference).reveal()
    if text.startswith(GLOBAL_KEY):
        raise InventoryError(
            f"{reference}: is the global API key, which may do everything everywhere: make an "
            "API token that may do what docs/outside.md lists"
        )
    if not re.fullmatch(r"[A-Za-z0-9_-]{20,200}", text):
        raise InventoryError(f"{reference}: is no API token: 20 or more of A-Z, a-z, 0-9, _ and -")
    return text


def standing(api: Api, token: str, account: str) -> Standing:
    """Asked of the endpoint of its kind; either one calls the other's good tokens invalid.

    Raises NotPermitted where the token is not active.
    """
    user, own = "/user/tokens/verify", f"/accounts/{account}/tokens/verify"
    paths: tuple[str, ...] = (user,) if token.startswith(USER) else (own,)
    if not token.startswith((USER, ACCOUNT)):
        paths = (user, own)
    for path in paths:
        try:
            found = Standing.model_validate(api.get(path))
        except (NotPermitted, Rejected):
            if path == paths[-1]:
                raise
            continue
        if found.status != "active":
            raise NotPermitted(f"the API token is {found.status}: make a new one")
        return found
    raise AssertionError("a token has a kind")
