"""The faults that verify must name: how each is made on the lab, and ended."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from lab.api import Lab
from tasks.configs import replica
from tests.lab.conftest import shell

CADDYFILE = "/etc/caddy/Caddyfile"
INGRESS = "/etc/cloudflared/config.yml"
RECORDS = "/etc/unbound/unbound.conf.d/twinedge.conf"
BESIDE = "/etc/unbound/unbound.conf.d/zzz.conf"
CLOCK = "/etc/ssh/sshd_config.d/clock.conf"
FAKETIME = "/usr/lib/*/faketime/libfaketime.so.1"
POLICY = "/etc/lab/policy.json"

# Both resolvers ask the public one again, which was away for a moment.
FORWARDED = (
    "for at in 100.67.88.109 100.102.55.88; do"
    " until dig +time=1 +tries=1 @$at nobody.edge.test | grep -q NXDOMAIN; do sleep 0.2; done; done"
)

Act = Callable[[Lab], object]


@dataclass(frozen=True, kw_only=True)
class Broken:
    """One fault; `hop` is what verify must name, `seen` a part of how it says so (or of why), and
    `todo` of what it says is to be done."""

    name: str
    begin: Act
    end: Act
    hop: str
    seen: str
    todo: str = ""
    status: int = 1
    artefacts: frozenset[str] = frozenset()  # broken by the way in which the lab breaks it


def on(host: str, script: str) -> Act:
    return lambda lab: shell(lab, host, script)


def both(*acts: Act) -> Act:
    return lambda lab: [act(lab) for act in acts]


# What both resolvers remember of the public one, for up to a minute.
FORGET = both(on("vps1", "systemctl restart unbound"), on("vps2", "systemctl restart unbound"))


def fault(kind: str, subject: str, **options: str) -> tuple[Act, Act]:
    """One of the lab's own."""

    def end(lab: Lab) -> None:
        lab.end_fault(kind, subject, **options)
        recover(lab, subject)

    return lambda lab: lab.fault(kind, subject, **options), end


def recover(lab: Lab, subject: str) -> None:
    """Spares the tests Caddy's own way back, which takes half a minute, and the tunnel's."""
    if "@" in subject:
        origin = lab.topology.origin(subject)
        url = f"http://{lab.machines[origin.host].tailnet}:{origin.port}/"
        shell(lab, origin.host, f"until curl -s -o /dev/null {url}; do sleep 0.1; done")
    for edge in lab.topology.edges:
        shell(lab, edge.name, "systemctl restart caddy")
        if "@" not in subject:
            # Killed first: a plain stop waits half a minute for what the cut has lost.
            again = "systemctl kill --signal=KILL cloudflared; systemctl restart cloudflared"
            shell(lab, edge.name, again)


def of_lab(
    name: str, kind: str, subject: str, *, hop: str, seen: str, todo: str = "", status: int = 1
) -> Broken:
    begin, end = fault(kind, subject)
    return Broken(name=name, begin=begin, end=end, hop=hop, seen=seen, todo=todo, status=status)


def unit(host: str, name: str, *, hop: str, seen: str = "inactive") -> Broken:
    return Broken(
        name=f"{name} stopped",
        begin=on(host, f"systemctl stop {name}"),
        end=on(host, f"systemctl start {name}"),
        hop=hop,
        seen=seen,
    )


def edited(
    name: str, host: str, path: str, sed: str, activate: str, *, hop: str, seen: str
) -> Broken:
    """A file changed by hand and put to use, later laid back byte for byte."""
    return Broken(
        name=name,
        begin=on(host, f"cp -p {path} /run/kept && sed -i '{sed}' {path} && {activate}"),
        end=on(host, f"mv /run/kept {path} && {activate}"),
        hop=hop,
        seen=seen,
    )


def beside(name: str, text: str, *, seen: str) -> Broken:
    """A file of the operator's own beside our file for unbound."""
    again = "systemctl restart unbound"
    return Broken(
        name=name,
        begin=on("vps1", f"echo '{text}' > {BESIDE} && {again}"),
        end=on("vps1", f"rm {BESIDE} && {again}"),
        hop="dns vps1",
        seen=seen,
    )


def open_door(lab: Lab) -> None:
    """Cloudflare no longer asks who it is, for one name."""
    policy = json.loads(shell(lab, "cloudflare", f"cat {POLICY}"))
    policy["open"] = ["organizr.edge.test"]
    lab.run("cloudflare", ["tee", POLICY], input=json.dumps(policy), check=True)


def closed_door(lab: Lab) -> None:
    policy = json.loads(shell(lab, "cloudflare", f"cat {POLICY}"))
    policy["open"] = []
    lab.run("cloudflare", ["tee", POLICY], input=json.dumps(policy), check=True)


# As if Caddy had stopped renewing: a certificate of its own CA with minutes left.
OLD_CERTIFICATE = """
from datetime import UTC, datetime, timedelta
from pathlib import Path
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ca = Path("/var/lib/caddy/.local/share/caddy/pki/authorities/local")
root = x509.load_pem_x509_certificate((ca / "root.crt").read_bytes())
signer = serialization.load_pem_private_key((ca / "root.key").read_bytes(), None)
key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
leaf = (
    x509.CertificateBuilder()
    .subject_name(x509.Name([]))
    .issuer_name(root.subject)
    .public_key(key.public_key())
    .serial_number(x509.random_serial_number())
    .not_valid_before(now - timedelta(hours=11, minutes=50))
    .not_valid_after(now + timedelta(minutes=10))
    .add_extension(x509.SubjectAlternativeName([x509.DNSName("plex.edge.test")]), critical=True)
    .sign(signer, hashes.SHA256())
)
pem = serialization.Encoding.PEM
Path("/etc/caddy/plex.crt").write_bytes(leaf.public_bytes(pem))
Path("/etc/caddy/plex.key").write_bytes(
    key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
)
"""


def late_certificate(lab: Lab) -> None:
    lab.run("vps2", ["python", "-"], input=OLD_CERTIFICATE, check=True)
    shell(
        lab,
        "vps2",
        f"chown caddy /etc/caddy/plex.*; cp -p {CADDYFILE} /run/kept;"
        f"sed -i '/^https:..plex/,/^}}/s|tls internal|tls /etc/caddy/plex.crt /etc/caddy/plex.key|'"
        f" {CADDYFILE} && systemctl reload caddy",
    )


# --- what stands in a service's way, and not in ours -----------------------------------------

ORGANIZR = "/etc/systemd/system/organizr.service"
ANEW = "systemctl daemon-reload && systemctl restart organizr"
# Somebody else took the port while the service was away, and says nothing there.
SQUATTER = """
systemctl stop organizr
systemd-run -q --unit=squatter python3 -c '
import socket, time
held = socket.create_server(("100.102.55.88", 80))
time.sleep(3600)'
until ss -Hltn "sport = :80" | grep -q .; do sleep 0.1; done
"""
SHUT = """
nft add table inet shut
nft 'add chain inet shut input { type filter hook input priority 0; }'
nft 'add rule inet shut input iifname != "lo" tcp dport 443 drop'
"""
UNKNOWN = "/etc/unbound/unbound.conf.d/lab.conf"


def back(script: str, subject: str) -> Act:
    """`script` on the service's host, and everybody has seen that it is well again."""

    def act(lab: Lab) -> None:
        shell(lab, lab.topology.origin(subject).host, script)
        recover(lab, subject)

    return act


# A Caddy that takes connections and says nothing, also when the watch has it started anew.
ILL = "/run/systemd/system/caddy.service.d"
MUTE = f"""
mkdir -p {ILL} && cat > {ILL}/ill.conf <<'END'
[Service]
Type=exec
ExecStart=
ExecStart=/usr/bin/python3 -c 'import socket, time; \\
    at = [("100.67.88.109", 443), ("100.67.88.109", 8081), ("127.0.0.1", 8081)]; \\
    held = [socket.create_server(each) for each in at]; \\
    time.sleep(3600)'
END
systemctl daemon-reload && systemctl restart caddy
until [ -e {replica.LEFT} ]; do sleep 0.1; done
"""

RELOAD = "systemctl reload caddy"
BROKEN = (
    of_lab("service stopped", "stop", "organizr@vps2",
           hop="service organizr@vps2", seen="unit organizr is inactive"),
    of_lab("service hung", "hang", "uptime-kuma@vps1",
           hop="service uptime-kuma@vps1", seen="no answer within 5 s"),
    of_lab("service answers 5xx", "5xx", "radarr@unraid",
           hop="service radarr@unraid", seen="503"),
    of_lab("service answers the wrong body", "wrong-body", "organizr@vps2",
           hop="service organizr@vps2", seen="200 '<!doctype html> wrong body"),
    of_lab("service on loopback alone", "loopback", "organizr@vps2",
           hop="service organizr@vps2", seen="it listens on loopback only (127.0.0.1:80)",
           todo="let organizr listen on 100.102.55.88"),
    of_lab("service refuses its name", "refuse-name", "sabnzbd@unraid",
           hop="service sabnzbd@unraid", seen="by SABnzbd's host_whitelist",
           todo="add sabnzbd.edge.test to host_whitelist"),
    Broken(name="service on another port",
           begin=on("vps2", f"cp -p {ORGANIZR} /run/kept && sed -i 's/:80$/:8085/' {ORGANIZR}"
                    f" && {ANEW} && until ss -Hltn | grep -q :8085; do sleep 0.1; done"),
           end=back(f"mv /run/kept {ORGANIZR} && {ANEW}", "organizr@vps2"),
           hop="service organizr@vps2", seen="it is well and listens on 8085, nothing on 80",
           todo="services.yaml: organizr: port: 8085"),
    Broken(name="port held by another", begin=on("vps2", SQUATTER),
           end=back("systemctl stop squatter; systemctl start organizr", "organizr@vps2"),
           hop="service organizr@vps2", seen="port 80 is held by python3 (squatter.service)",
           todo="take port 80 from python3"),
    Broken(name="firewall on 443", begin=on("vps1", SHUT),
           end=on("vps1", "nft delete table inet shut"),
           hop="firewall vps1", seen="Caddy listens on 100.67.88.109:443",
           todo="ufw allow in on tailscale0 to any port 443"),
    Broken(name="names that no public DNS knows",
           begin=both(
               on("cloudflare", f"cp -p {UNKNOWN} /run/kept && sed -i -e '/edge.test. 60/d'"
                  f" -e '/edge.test/s/redirect/static/' {UNKNOWN} && systemctl restart unbound"),
               FORGET, on("vps1", FORWARDED)),
           end=both(on("cloudflare", f"mv /run/kept {UNKNOWN} && systemctl restart unbound"),
                    FORGET),
           hop="public dns", seen="NXDOMAIN", todo="cloudflared tunnel route dns "),
    Broken(name="replica gone because its Caddy is ill", begin=on("vps1", MUTE),
           end=on("vps1", f"rm -r {ILL} && systemctl daemon-reload && systemctl restart caddy"),
           hop="caddy vps1", seen="its admin API does not answer"),
    unit("vps1", "caddy", hop="caddy vps1"),
    edited("one upstream order swapped", "vps2", CADDYFILE,
           "s/100.67.88.109:3001 100.102.55.88:3001/100.102.55.88:3001 100.67.88.109:3001/",
           RELOAD, hop="caddy vps2", seen="100.102.55.88:3001 then 100.67.88.109:3001"),
    Broken(name="certificate about to expire", begin=late_certificate,
           end=on("vps2", f"mv /run/kept {CADDYFILE} && {RELOAD} && rm /etc/caddy/plex.*"),
           hop="caddy vps2", seen="ends in"),
    unit("vps1", "cloudflared", hop="tunnel vps1"),
    edited("the two ingress files differ", "vps2", INGRESS,
           "/hostname: .organizr/{n;s|8081|8099|}", "systemctl restart cloudflared",
           hop="tunnel vps2", seen="organizr.edge.test leads to http://caddy.twinedge.internal:8099"),
    Broken(name="Access switched off for one name", begin=open_door, end=closed_door,
           hop="access", seen="A STRANGER GETS IN"),
    edited("a stale record on one resolver", "vps1", RECORDS,
           "s/plex.edge.test. 60 IN A 100.67.88.109/plex.edge.test. 60 IN A 100.67.88.1/",
           "systemctl reload unbound", hop="dns vps1", seen="100.102.55.88, 100.67.88.1"),
    beside("another file forwards all names",
           'forward-zone: name: "." forward-addr: 203.0.113.53',
           seen=f"{BESIDE} forwards all names, too"),
    beside("another file moves the port", "server: port: 5353",
           seen=f"unbound listens on port 5353 ({BESIDE}), and names are asked at 53"),
    unit("vps2", "unbound", hop="dns vps2", seen="unit unbound is inactive"),
    of_lab("host partitioned", "partition", "vps1", hop="host vps1", seen="SSH", status=3),
    edited("a config edited by hand", "unraid", "/etc/mcp/mcp.json", "s/npx/npm/",
           "true", hop="config unraid", seen="was edited by hand"),
    Broken(name="disk full",
           begin=on("vps1", "head -c 1100m /dev/zero > /var/filler 2>/dev/null; true"),
           end=on("vps1", "rm /var/filler"), hop="disk vps1", seen="100 % used"),
    # Every process that sshd starts sees a clock of its own: the kernel's cannot be moved
    # for one lab host alone.
    Broken(name="clock off",
           begin=on("vps1", f"echo SetEnv LD_PRELOAD=$(echo {FAKETIME}) FAKETIME=+90s"
                    f" FAKETIME_DONT_FAKE_MONOTONIC=1 > {CLOCK} && systemctl reload ssh"),
           end=on("vps1", f"rm {CLOCK} && systemctl reload ssh"),
           hop="clock vps1", seen="s ahead of vps2",
           artefacts=frozenset({"sync of antigravity", "sync of resolver", "sync vps1"})),
    # A daemon that takes connections and says nothing: verify waits for no one.
    Broken(name="sshd hung", begin=on("vps1", "systemctl kill --signal=STOP ssh"),
           end=on("vps1", "systemctl kill --signal=CONT ssh"),
           hop="ssh vps1", seen="SSH", status=3),
    unit("vps1", "lsyncd", hop="sync vps1", seen="unit lsyncd is"),
)  # fmt: skip
