"""How twinedge logs in to a host: what a site may say of SSH, and what it may not."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from inventory.errors import InventoryError
from inventory.fields import Flag, Seconds, SecretText, Strict, one_or_many

_HOP = re.compile(
    r"((?P<user>[a-z_][a-z0-9_.-]{0,31})@)?"
    r"(?P<address>[A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9A-Fa-f:.]+\])"
    r"(:(?P<port>[0-9]{1,5}))?"
)


def _on_control_node(value: str) -> str:
    if not value.startswith(("/", "~/")) or not value.isprintable():
        raise ValueError(f"{value!r} is not an absolute path such as ~/.ssh/id_ed25519")
    return value


def _always(wanted: bool, why: str) -> BeforeValidator:
    def check(value: Any) -> bool:
        if value is not wanted:
            raise ValueError(f"is always {str(wanted).lower()} here, not {value!r}: {why}")
        return bool(value)

    return BeforeValidator(check)


def _never(why: str) -> BeforeValidator:
    def check(value: Any) -> None:
        if value is not None:
            raise ValueError(f"{value!r} is not read: {why}")

    return BeforeValidator(check)


def _seconds(value: Any) -> Any:
    if isinstance(value, bool | str):
        raise ValueError(f"should be a number of seconds, not {value!r}")
    return value


@dataclass(frozen=True)
class Hop:
    """A machine on the way to a host; `user` and `port` are None where nothing is said."""

    address: str
    user: str | None = None
    port: int | None = None

    @classmethod
    def parse(cls, text: Any) -> "Hop":
        """`bastion`, `ops@bastion.example:2222`, `[fd7a::1]:22`. Raises ValueError."""
        match = _HOP.fullmatch(text) if isinstance(text, str) else None
        port = int(match["port"]) if match and match["port"] else None
        if match is None or port not in (None, *range(1, 65536)):
            raise ValueError(f"{text!r} is not a host to jump through such as ops@bastion.example")
        return cls(match["address"].strip("[]"), match["user"], port)


PathHere = Annotated[str, AfterValidator(_on_control_node)]
Patience = Annotated[Seconds, BeforeValidator(_seconds)]
Jump = Annotated[Hop, BeforeValidator(Hop.parse)]


@dataclass(frozen=True, kw_only=True)
class Login(Strict):
    """`connection_options.netmiko.extras` of a host: keys, host keys, patience in seconds.

    `use_keys` tries the keys of ~/.ssh after `key_file`, `allow_agent` all of an agent's.
    Host keys are checked whatever a site says, and no terminal is opened.
    """

    use_keys: Flag = True
    key_file: PathHere | None = None
    passphrase: SecretText | None = None
    allow_agent: Flag = False
    ssh_strict: Annotated[
        bool, _always(True, "no unknown host key is accepted (README, 'Host keys')")
    ] = True
    system_host_keys: Flag = True
    alt_host_keys: Flag = False
    alt_key_file: PathHere | None = None
    auto_connect: Annotated[bool, _always(False, "twinedge connects by itself")] = False
    conn_timeout: Patience = 5.0
    auth_timeout: Patience = 10.0
    banner_timeout: Patience = 10.0
    ssh_config_file: Annotated[None, _never("data.ssh.config is where a site says so")] = None


@dataclass(frozen=True, kw_only=True)
class Ssh(Strict):
    """`data.ssh` of a host: the way to it.

    `jump` is what to go through, the first hop first. `config` is the OpenSSH client's
    settings that count for the way (HostName, HostKeyAlias, ProxyJump, ProxyCommand).
    `own_address` is on the host where `hostname` is not, as behind a NAT.
    """

    config: PathHere | None = None
    jump: Annotated[tuple[Jump, ...], BeforeValidator(one_or_many)] = ()
    own_address: IPv4Address | IPv6Address | None = None


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A machine that SSH logs in to: a host, or one on the way to it."""

    address: str
    port: int
    user: str
    login: Login
    config: str | None = None


def refuse_client_settings(file: str, settings: Mapping[str, Any]) -> None:
    """Nornir's own `ssh.config_file`: no host is reached by it, so nobody may rely on it.

    `file` is the operator's name of `settings`. Raises InventoryError.
    """
    ssh = settings.get("ssh")
    named = ssh.get("config_file") if isinstance(ssh, dict) else ssh
    if named not in (None, os.devnull):
        raise InventoryError(
            f"{file}: ssh.config_file: {named!r} is not read: data.ssh.config in "
            "defaults.yaml, or of one host, is where a site says so (README, 'The way to a host')"
        )
