"""Where a host listens: read from the kernel and docker, judged against who may come in."""

import subprocess
from ipaddress import ip_address

import pytest

from inventory.load import load_catalogue
from runbooks.verify import CHECKS, judge
from tasks.checks import doors
from tasks.checks.diagnosis import diagnose, faults
from tasks.checks.finding import Finding, Status
from tasks.host import host_side
from tasks.listening import Listening, parse
from tasks.observe import Reply
from tests.site import Site
from tests.unit.fakehosts import SHELLS
from tests.unit.surveys import Edge, ok

PLEX = 32400
HOME = "address br0 192.168.1.5\naddress docker0 172.17.0.1\naddress tailscale0 100.76.168.116\n"


@pytest.fixture
def edge(site: Site) -> Edge:
    return Edge(load_catalogue(site.config))


def told(edge: Edge, host: str, text: str) -> Finding:
    """The one fault, once `host` says that it listens so."""
    edge.replies[host, doors.LISTENING] = ok(text)
    found = faults(diagnose(judge(edge.survey(), CHECKS)))
    assert len(found) == 1, found
    return found[0].first


@pytest.mark.parametrize(
    ("line", "socket"),
    [
        ("listens tcp 0100007F:1F91", ("tcp", "127.0.0.1", 8081)),
        ("listens tcp 00000000:7E90", ("tcp", "0.0.0.0", 32400)),
        ("listens udp 6D58 4364:0035".replace(" 4364", "4364"), ("udp", "100.67.88.109", 53)),
        ("listens tcp 00000000000000000000000001000000:0BB9", ("tcp", "::1", 3001)),
        ("listens tcp B80D01200000000000000000 01000000:0050".replace(" 01", "01"),
         ("tcp", "2001:db8::1", 80)),
        ("publishes uptime-kuma 0.0.0.0:3001->3001/tcp, :::3001->3001/tcp",
         ("tcp", "::", 3001)),
        ("publishes dns 203.0.113.9:53->53/udp", ("udp", "203.0.113.9", 53)),
        ("publishes many [::]:7000-7002->7000-7002/tcp", ("tcp", "::", 7001)),
    ],
)  # fmt: skip
def test_what_the_kernel_and_docker_say_is_read(line: str, socket: tuple[str, str, int]):
    listening = parse(line)
    assert listening is not None
    assert (socket[0], ip_address(socket[1]), socket[2]) in listening.sockets


def test_a_container_that_publishes_nothing_listens_on_nothing():
    line = "listens tcp 0100007F:1F91\npublishes quiet 3001/tcp, 8443/udp"
    listening = parse(line)
    assert listening is not None and len(listening.sockets) == 1


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("tools", ["all", "without-ip"])
def test_a_real_host_tells_its_sockets_and_addresses_in_any_shell(shell: str, tools: str):
    import socket as sockets

    script = f"{host_side('listening.sh')}listening\n"
    if tools == "without-ip":
        script = script.replace("command -v ip ", "command -v no-such-tool ")
    with sockets.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        command = [shell, "sh"] if shell == "busybox" else [shell]
        done = subprocess.run(command, input=script, text=True, capture_output=True, check=True)
    listening = parse(done.stdout)
    assert isinstance(listening, Listening)
    assert ("tcp", ip_address("127.0.0.1"), port) in listening.sockets


@pytest.mark.parametrize("socket", ["00000000:7E90", "097100CB:7E90"], ids=["any", "public"])
def test_a_service_on_a_public_address_is_a_loud_finding(edge: Edge, socket: str):
    text = f"listens tcp {socket}\naddress eth0 203.0.113.9\n{HOME}"
    fault = told(edge, "unraid", text)
    assert (fault.status, fault.service) == (Status.FAILED, "plex")
    assert "ANYBODY MAY ENTER at 203.0.113.9" in fault.seen
    edge.doors["unraid", "203.0.113.9", PLEX] = True
    assert "ANYBODY MAY ENTER, tried from vps2, at 203.0.113.9" in told(edge, "unraid", text).seen


def test_the_port_that_a_path_leads_to_is_looked_at_as_the_services_own(site: Site):
    site.change("services", "services.plex.front.routes", {"/admin": {"port": 9000}})
    edge = Edge(load_catalogue(site.config))
    fault = told(edge, "unraid", f"listens tcp 097100CB:2328\n{HOME}")
    assert (fault.status, fault.service) == (Status.FAILED, "plex")
    assert fault.seen == "ANYBODY MAY ENTER at 203.0.113.9:9000"


def test_a_firewall_in_front_of_it_makes_it_a_warning(edge: Edge):
    edge.doors["unraid", "203.0.113.9", PLEX] = False
    fault = told(edge, "unraid", "listens tcp 097100CB:7E90\n")
    assert (fault.status, "shut from vps2" in fault.seen) == (Status.WARN, True)


def test_a_network_at_home_is_a_warning_until_access_from_names_it(site: Site, edge: Edge):
    text = f"listens tcp 00000000:7E90\n{HOME}"
    fault = told(edge, "unraid", text)
    assert fault.status is Status.WARN
    assert fault.seen == "its network may enter at 192.168.1.5"
    site.change("defaults", "data.access_from", ["192.168.1.0/24"])
    knowing = Edge(load_catalogue(site.config))
    knowing.replies["unraid", doors.LISTENING] = ok(text)
    assert faults(diagnose(judge(knowing.survey(), CHECKS))) == ()


def test_a_host_that_tells_nothing_is_skipped_and_not_held_for_shut(edge: Edge):
    edge.replies["unraid", doors.LISTENING] = Reply(status=1, text="")
    found = {f.subject: f.status for f in judge(edge.survey(), ["host"])}
    assert found["doors of plex@unraid"] is Status.SKIPPED
