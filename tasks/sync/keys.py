"""The sync's keys: each may start one program, `gate`, for the syncs that two hosts share."""

from inventory.catalogue import Catalogue, Host
from tasks.configs.sync import folder_of_keys
from tasks.keys import Purpose


def peers(catalogue: Catalogue, host: str) -> tuple[str, ...]:
    """The hosts that `host` shares a sync with."""
    return tuple(dict.fromkeys(sync.peer_of(host) for sync in catalogue.syncs_of(host)))


def _gate(host: Host, peer: Host) -> str:
    return f'{host.paths.sync} gate {peer.name} \\"$SSH_ORIGINAL_COMMAND\\"'


SYNC = Purpose(
    name="sync",
    folder=folder_of_keys,
    visits=peers,
    admits=peers,
    company=peers,
    command=_gate,
    known_as=lambda host: host.name,
    news=lambda _, __: "would get a key for its syncs, and learn its peer's",
)
