"""What is written into each host's file system before its first boot."""

import json
from pathlib import Path

from lab.image import containers, units, unraid
from lab.image.image import Image
from lab.image.keys import Keys
from lab.image.root import UNITS, Root
from lab.kernel.machine import python_home
from lab.state import State
from lab.topology import CLOUDFLARE, Machine, Topology

# Started by systemd itself or by a package; they need hardware, logins or the internet.
MASKED = (
    "apparmor.service",
    "console-getty.service",
    "container-getty@.service",
    "dev-hugepages.mount",
    "getty.target",
    "getty@.service",
    "kmod-static-nodes.service",
    "networking.service",
    "snapd.service",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-ask-password-console.path",  # two of systemd's five inotify instances
    "systemd-ask-password-wall.path",
    "systemd-binfmt.service",
    "systemd-firstboot.service",
    "systemd-hwdb-update.service",
    "systemd-logind.service",
    "systemd-machine-id-commit.service",
    "systemd-modules-load.service",
    "systemd-networkd.service",
    "systemd-networkd-wait-online.service",
    "systemd-random-seed.service",
    "systemd-remount-fs.service",
    "systemd-resolved.service",
    "systemd-sysctl.service",
    "systemd-timesyncd.service",
    "systemd-udev-settle.service",
    "systemd-udev-trigger.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    "systemd-udevd.service",
    "systemd-vconsole-setup.service",
    "unbound-resolvconf.service",
)
# The machine's own, or a package's: what a deploy brings is not there before it.
DEPLOYED = (
    *("/etc/caddy", "/etc/cloudflared", "/etc/lsyncd", "/etc/mcp", "/etc/twinedge"),
    *("/var/lib/twinedge", "/usr/local/lib/twinedge"),
)
SSHD = """\
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /etc/ssh/authorized_keys .ssh/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
UseDNS no
PrintLastLog no
MaxStartups 200:30:400
MaxSessions 100
"""
TAILSCALE = """\
#!/bin/sh
# The lab's stand-in for tailscale: there is no tailscaled here, but a mesh that the lab knows.
cd '{checkout}' && exec '{python}' -m lab.standins.tailscale "$@"
"""
RESOLVER = """\
server:
\tinterface: {address}
\taccess-control: 203.0.113.0/24 allow
\tmodule-config: "iterator"
\tlocal-zone: "." static
\tlocal-zone: "{domain}." redirect
\tlocal-data: "{domain}. 60 IN A {address}"
\tlocal-data: "www.example.com. 60 IN A 203.0.113.80"
"""
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def provision(state: State, topology: Topology, keys: Keys, machine: Machine, disk: Path) -> None:
    """Writes everything that makes a copy of the machine's root into this host."""
    root = Root(folder=disk)
    _quieten(root)
    _identity(root, topology, machine)
    _logins(root, topology, keys, machine)
    _origins(root, state, topology, machine)
    if machine.tailnet:
        script = TAILSCALE.format(checkout=state.checkout, python=state.python)
        root.write("/usr/bin/tailscale", script, mode=0o755)
    if machine.name in topology.controllers:
        _secrets(root, topology, keys)
    match machine.role:
        case "edge":
            _edge(root, state, topology)
        case "cloudflare":
            _cloudflare(root, state, topology, keys, machine)
    if machine.is_unraid:
        key, python = keys.control.public, state.python
        unraid.provision(root, name=machine.name, key=key, python=python, checkout=state.checkout)


def _quieten(root: Root) -> None:
    """Nothing starts that the machine happens to have enabled."""
    folder = root.path(UNITS)
    for wants in [*folder.glob("*.wants"), *folder.glob("*.requires")]:
        root.remove(f"{UNITS}/{wants.name}")
    for level in "0123456S":
        root.remove(f"/etc/rc{level}.d")
    for unit in MASKED:
        root.mask(unit)
    for file in root.path("/etc/cron.d").glob("*"):
        root.remove(f"/etc/cron.d/{file.name}")
    root.link(f"{UNITS}/default.target", "/lib/systemd/system/multi-user.target")
    root.write("/etc/fstab", "")
    for path in DEPLOYED:
        root.remove(path)


def _identity(root: Root, topology: Topology, machine: Machine) -> None:
    names = "".join(f"{m.tailnet or m.internet} {m.name}\n" for m in topology.machines.values())
    root.write("/etc/hostname", f"{machine.name}\n")
    root.write("/etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n{names}")
    root.write("/etc/machine-id", "")
    root.remove("/var/lib/dbus/machine-id")
    cloudflare = topology.machines[CLOUDFLARE].internet
    resolvers = (
        [edge.tailnet for edge in topology.edges] if machine.role == "client" else [cloudflare]
    )
    root.write("/etc/resolv.conf", "".join(f"nameserver {address}\n" for address in resolvers))


def _logins(root: Root, topology: Topology, keys: Keys, machine: Machine) -> None:
    root.write("/etc/ssh/sshd_config.d/lab.conf", SSHD)
    root.write("/etc/ssh/ssh_host_ed25519_key", keys.hosts[machine.name].private, mode=0o600)
    root.write("/etc/ssh/ssh_host_ed25519_key.pub", f"{keys.hosts[machine.name].public}\n")
    root.write("/etc/ssh/authorized_keys", f"{keys.control.public}\n")
    root.enable("ssh.service")
    root.write(CERTIFICATES, f"{root.read(CERTIFICATES)}\n{keys.authority}")
    if machine.name not in topology.controllers:  # nobody else has the operator's key
        return
    root.path("/root/.ssh").mkdir(mode=0o700, exist_ok=True)
    root.write("/root/.ssh/id_ed25519", keys.control.private, mode=0o600)
    root.write("/root/.ssh/id_ed25519.pub", f"{keys.control.public}\n")
    root.write("/root/.ssh/known_hosts", _known_hosts(topology, keys), mode=0o600)


def _known_hosts(topology: Topology, keys: Keys) -> str:
    lines = []
    for machine in topology.machines.values():
        names = [machine.name, machine.internet] + ([machine.tailnet] if machine.tailnet else [])
        key = " ".join(keys.hosts[machine.name].public.split()[:2])
        lines.append(f"{','.join(names)} {key}\n")
    return "".join(lines)


def _origins(root: Root, state: State, topology: Topology, machine: Machine) -> None:
    root.write("/etc/gitconfig", f"[safe]\n\tdirectory = {state.checkout}\n")
    here = [each for each in topology.origins if each.host == machine.name and each.kind != "dns"]
    if contained := [each for each in here if each.is_container]:
        own = [] if Image.of(state, machine.name).venv else python_home(state.python)
        seen = (state.checkout, *own)
        address = machine.tailnet or ""
        containers.provision(root, contained, address=address, python=state.python, seen=seen)
    for which in here:
        if which.is_container:
            continue
        unit = units.origin(
            which, address=machine.tailnet or "", python=state.python, checkout=state.checkout
        )
        _start(root, f"{which.unit}.service", unit)


def _secrets(root: Root, topology: Topology, keys: Keys) -> None:
    texts = {
        "tunnel": keys.tunnel,
        "service_token": json.dumps(keys.service_token),
        "mcp": f"{keys.mcp_token}\n",
    }
    for path, which in topology.secrets.items():
        root.path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        root.write(path, texts[which], mode=0o600)


def _edge(root: Root, state: State, topology: Topology) -> None:
    cloudflare = topology.machines[CLOUDFLARE].internet
    tunnel = units.connector(
        python=state.python, checkout=state.checkout, edge=f"{cloudflare}:7844"
    )
    _start(root, "caddy.service", units.CADDY)
    _start(root, "cloudflared.service", tunnel)
    _resolver(root)
    for unit, config in (
        ("caddy.service", "/etc/caddy/Caddyfile"),
        ("unbound.service", "/etc/unbound/unbound.conf.d/twinedge.conf"),
    ):
        root.write(f"{UNITS}/{unit}.d/lab.conf", units.only_with(config))


def _cloudflare(root: Root, state: State, topology: Topology, keys: Keys, machine: Machine) -> None:
    root.path("/etc/lab").mkdir(mode=0o700, exist_ok=True)
    root.write("/etc/lab/edge.crt", keys.edge.certificate)
    root.write("/etc/lab/edge.key", keys.edge.key, mode=0o600)
    root.write("/etc/lab/policy.json", keys.policy, mode=0o600)
    edge = units.cloudflare_edge(
        python=state.python, checkout=state.checkout, address=machine.internet
    )
    _start(root, "cloudflare-edge.service", edge)
    _resolver(root)
    zones = RESOLVER.format(address=machine.internet, domain=topology.domain)
    root.write("/etc/unbound/unbound.conf.d/lab.conf", zones)


def _resolver(root: Root) -> None:
    """Debian's unbound, without what asks the internet for the root's key."""
    root.write("/etc/default/unbound", "ROOT_TRUST_ANCHOR_UPDATE=false\nRESOLVCONF=false\n")
    root.remove("/etc/unbound/unbound.conf.d/root-auto-trust-anchor-file.conf")
    root.enable("unbound.service")


def _start(root: Root, unit: str, text: str) -> None:
    root.write(f"{UNITS}/{unit}", text)
    root.enable(unit)
