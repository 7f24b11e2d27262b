"""The keys that are offered to a host: `key_file`, those of an agent and of ~/.ssh.

A key with a passphrase is used where an agent holds it, as OpenSSH does, or where the
site says where the passphrase is.
"""

import base64
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from inventory.errors import InventoryError
from inventory.secret import Secret
from inventory.ssh import Stop
from tasks.ssh.refused import LoginRefused

OF_THE_USER = ("~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519")
READERS: dict[type[Any], Callable[[io.StringIO], paramiko.PKey]] = {
    rsa.RSAPrivateKey: paramiko.RSAKey.from_private_key,
    ec.EllipticCurvePrivateKey: paramiko.ECDSAKey.from_private_key,
    ed25519.Ed25519PrivateKey: paramiko.Ed25519Key.from_private_key,
}
MAGIC = b"openssh-key-v1\0"  # begins a private key as ssh-keygen writes it


class Locked(Exception):
    """A key file has a passphrase, and none was given, or a wrong one."""


class Unusable(Exception):
    """A key file cannot be used, in words."""


@dataclass
class Keys:
    """Logs in to `stop` with one key after the other; paramiko's `auth_strategy`.

    `notes` tell what became of each key that was not let in.
    """

    stop: Stop
    password: str | None = None
    notes: list[str] = field(default_factory=list)
    offered: int = 0

    def authenticate(self, transport: paramiko.Transport) -> None:
        """Raises LoginRefused when no key opens."""
        for label, key in self._candidates():
            if self._opens(transport, label, key):
                return
        if self.password is not None:
            transport.auth_password(self.stop.user, self.password)
            return
        raise LoginRefused(self._words("refuses"))

    def has_any(self) -> bool:
        """Is there a key to offer? `notes` tell of those that cannot be."""
        return len(list(self._candidates())) > 0

    def _opens(self, transport: paramiko.Transport, label: str, key: paramiko.PKey) -> bool:
        self.offered += 1
        try:
            further = transport.auth_publickey(self.stop.user, key)
        except paramiko.BadAuthenticationType as error:
            allowed = ", ".join(error.allowed_types)
            raise LoginRefused(
                f"lets nobody in with a key (it takes {allowed}): PubkeyAuthentication in its "
                "sshd_config"
            ) from error
        except paramiko.SSHException as error:
            if not transport.is_active():
                raise LoginRefused(self._cut_off()) from error
            if "timeout" in str(error):
                patience = self.stop.login.auth_timeout
                raise LoginRefused(f"did not answer the login within {patience:g} s") from error
            self.notes.append(f"{label} is not let in")
            return False
        if further:
            raise LoginRefused(f"wants more than a key: {', '.join(further)}")
        return True

    def _words(self, verb: str) -> str:
        extras = "key_file and username in inventory/defaults.yaml"
        notes = "; ".join(self.notes) or "there is no key to log in with"
        return f"{verb} the key for user {self.stop.user}: {notes}. See {extras}"

    def _cut_off(self) -> str:
        return (
            f"closed the connection after {self.offered} keys for user {self.stop.user} (its "
            "MaxAuthTries): name the right one with key_file, and say allow_agent: false or "
            "use_keys: false in the inventory; " + "; ".join(self.notes)
        )

    def _candidates(self) -> Iterator[tuple[str, paramiko.PKey]]:
        """(in words, key) of each that may open, none twice."""
        seen: set[bytes] = set()
        for label, key in self._all():
            if key.asbytes() not in seen:
                seen.add(key.asbytes())
                yield label, key

    def _all(self) -> Iterator[tuple[str, paramiko.PKey]]:
        login = self.stop.login
        if login.key_file:
            yield from self._from_file(login.key_file, f"key_file {login.key_file}")
        if login.allow_agent:
            yield from ((f"the agent's {key.comment or key.get_name()}", key) for key in self.agent)
        if login.use_keys:
            for path in OF_THE_USER:
                if path != login.key_file and Path(path).expanduser().exists():
                    yield from self._from_file(path, path)

    def _from_file(self, path: str, label: str) -> Iterator[tuple[str, paramiko.PKey]]:
        try:
            yield label, _load(Path(path).expanduser(), self._passphrase(path))
        except Locked as error:
            held = self._held(path)
            if held is None:
                self.notes.append(f"{label} {error}")
            else:
                yield f"{label} (from the agent)", held
        except Unusable as error:
            self.notes.append(f"{label} {error}")

    def _passphrase(self, path: str) -> bytes | None:
        reference = self.stop.login.passphrase
        if reference is None or path != self.stop.login.key_file:
            return None
        try:
            return Secret(reference).reveal().encode()
        except InventoryError as error:
            raise Unusable(f"has a passphrase that cannot be had: {error}") from error

    def _held(self, path: str) -> paramiko.AgentKey | None:
        """The agent's key whose public half belongs to the file at `path`."""
        public = _public_half(Path(path).expanduser())
        return next((key for key in self.agent if public and key.asbytes() == public), None)

    @cached_property
    def agent(self) -> Sequence[paramiko.AgentKey]:
        """What the operator's agent holds; nothing where none answers."""
        try:
            return paramiko.Agent().get_keys()
        except (paramiko.SSHException, OSError):
            return ()


def _load(path: Path, passphrase: bytes | None) -> paramiko.PKey:
    """The key at `path`. Raises Locked or Unusable."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise Unusable("does not exist") from error
    except OSError as error:
        raise Unusable(f"cannot be read: {error.strerror}") from error
    key = _parse(data, passphrase)
    certificate = path.with_name(f"{path.name}-cert.pub")
    if certificate.is_file():
        key.load_certificate(str(certificate))
    return key


@lru_cache(maxsize=64)  # a passphrase takes its time, and many hosts know one key
def _parse(data: bytes, passphrase: bytes | None) -> paramiko.PKey:
    """paramiko reads fewer formats than cryptography, which writes the one that it reads."""
    found = _decrypted(data, passphrase)
    reader = next((made for kind, made in READERS.items() if isinstance(found, kind)), None)
    if reader is None:
        raise Unusable(f"is of a kind that is not read here ({type(found).__name__})")
    text = found.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    return reader(io.StringIO(text.decode()))


def _decrypted(data: bytes, passphrase: bytes | None) -> Any:
    read = serialization.load_pem_private_key
    if b"BEGIN OPENSSH PRIVATE KEY" in data:
        read = serialization.load_ssh_private_key
    try:
        return read(data, passphrase)
    except TypeError as error:
        if passphrase is not None:
            return _decrypted(data, None)  # it needs none
        raise Locked(
            "has a passphrase, and no agent holds it: ssh-add it, or say where the passphrase is "
            "(passphrase: file:… beside it)"
        ) from error
    except UnsupportedAlgorithm as error:
        raise Unusable(f"is of a kind that is not read here ({error})") from error
    except ValueError as error:
        if passphrase is not None:
            raise Locked("is not opened by its passphrase, and no agent holds it") from error
        raise Unusable(f"is no private key ({error})") from error


def _public_half(path: Path) -> bytes | None:
    """The public key beside the private one at `path`, or in it."""
    try:
        text = path.with_name(f"{path.name}.pub").read_text(encoding="utf-8", errors="replace")
        return base64.b64decode(text.split()[1])
    except (OSError, ValueError, IndexError):
        return _public_half_inside(path)


def _public_half_inside(path: Path) -> bytes | None:
    try:
        lines = path.read_text(encoding="ascii").split()
        data = base64.b64decode("".join(line for line in lines[4:-4]))
    except (OSError, ValueError):
        return None
    if not data.startswith(MAGIC):
        return None
    message = paramiko.Message(data[len(MAGIC) :])
    for _ in ("cipher", "kdf", "its options"):
        message.get_binary()
    return message.get_binary() if message.get_int() == 1 else None
