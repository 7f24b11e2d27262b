"""The systemd units of the lab's hosts, as text."""

from pathlib import Path

from lab.topology import Origin

# As the official Debian package of Caddy has it.
CADDY = """\
[Unit]
Description=Caddy
Documentation=https://caddyserver.com/docs/
After=network.target network-online.target
Requires=network-online.target

[Service]
Type=notify
User=caddy
Group=caddy
ExecStart=/usr/bin/caddy run --environ --config /etc/caddy/Caddyfile
ExecReload=/usr/bin/caddy reload --config /etc/caddy/Caddyfile --force
TimeoutStopSec=5s
LimitNOFILE=1048576
PrivateTmp=true
ProtectSystem=full
AmbientCapabilities=CAP_NET_ADMIN CAP_NET_BIND_SERVICE

[Install]
WantedBy=multi-user.target
"""


def only_with(path: str) -> str:
    """A drop-in: the unit is skipped, not failed, until a deploy has brought its config."""
    return f"[Unit]\nConditionPathExists={path}\n"


def origin(which: Origin, *, address: str, python: Path, checkout: Path) -> str:
    at = {"tailnet": address, "loopback": "127.0.0.1", "all": "0.0.0.0"}[which.runs.listen]
    command = (
        f"{python} -m lab.origin --service {which.service} --host {which.host}"
        f" --listen {at}:{which.port}"
    )
    settings = f"Restart=no\nTimeoutStopSec={which.runs.stop_timeout}"
    return _service(f"{which.service} (lab origin)", command, checkout, settings)


def connector(*, python: Path, checkout: Path, edge: str) -> str:
    command = f"{python} -m lab.standins.connector --config /etc/cloudflared/config.yml"
    return _service(
        "Cloudflare Tunnel (lab stand-in)",
        command,
        checkout,
        f"Type=notify\nEnvironment=TUNNEL_EDGE={edge}\nTimeoutStopSec=40\n"
        "Restart=on-failure\nRestartSec=1s",
        condition="ConditionPathExists=/etc/cloudflared/config.yml\n",
    )


def cloudflare_edge(*, python: Path, checkout: Path, address: str) -> str:
    command = (
        f"{python} -m lab.standins.edge --listen {address}:443 --tunnels {address}:7844"
        " --cert /etc/lab/edge.crt --key /etc/lab/edge.key --policy /etc/lab/policy.json"
    )
    return _service("Cloudflare's network (lab stand-in)", command, checkout, "Restart=on-failure")


def _service(
    title: str, command: str, checkout: Path, settings: str, *, condition: str = ""
) -> str:
    return (
        f"[Unit]\nDescription={title}\nAfter=network.target\n{condition}\n"
        f"[Service]\nWorkingDirectory={checkout}\nExecStart={command}\n{settings}\n\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )
