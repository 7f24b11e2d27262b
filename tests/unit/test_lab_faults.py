"""What may be asked of the lab, and how it says no."""

import os

import pytest

from lab import requirements
from lab.errors import LabError, UsageError
from lab.faults import Fault, Record, parse
from lab.kernel.network import mac_address
from lab.state import Process, State
from lab.topology import Machine, Origin, Topology, load, save

TOPOLOGY = Topology(
    machines={
        "vps1": Machine(name="vps1", role="edge", tailnet="100.67.88.109", internet="203.0.113.11"),
        "vps2": Machine(name="vps2", role="edge", tailnet="100.102.55.88", internet="203.0.113.12"),
        "cloudflare": Machine(
            name="cloudflare", role="cloudflare", tailnet=None, internet="203.0.113.100"
        ),
    },
    origins=(
        Origin(service="organizr", kind="http", host="vps2", unit="organizr", port=80),
        Origin(service="dns", kind="dns", host="vps1", unit="unbound", port=53),
    ),
    domain="edge.test",
    tunnel="00000000-0000-4000-8000-000000000000",
    control="vps2",
)


@pytest.fixture
def state(tmp_path, monkeypatch) -> State:
    monkeypatch.setattr("lab.state.RUN", tmp_path)
    return State(id="unit", checkout=tmp_path)


@pytest.mark.parametrize(
    ("kind", "subject", "options", "said"),
    [
        ("flood", "vps1", {}, "no fault 'flood' (faults: stop,"),
        ("stop", "plex@vps9", {}, "no service 'plex@vps9' (services: organizr@vps2, dns@vps1)"),
        ("power-cut", "vps9", {}, "no lab host 'vps9' (hosts: vps1, vps2, cloudflare)"),
        ("5xx", "dns@vps1", {}, "dns is no web service"),
        ("partition", "cloudflare", {}, "cloudflare is not on the tailnet"),
        ("partition", "vps1", {"other": "vps1"}, "no other host 'vps1'"),
        ("stop", "organizr@vps2", {"seconds": 3.0}, "has no option 'seconds' (options: none)"),
    ],
)
def test_an_unknown_fault_is_refused_with_the_known_ones(kind, subject, options, said):
    with pytest.raises(UsageError) as refused:
        parse(TOPOLOGY, kind, subject, options)
    assert said in str(refused.value)


def test_slow_is_five_seconds_unless_told_otherwise():
    assert parse(TOPOLOGY, "slow", "organizr@vps2", {}).amount == 5
    assert parse(TOPOLOGY, "slow", "organizr@vps2", {"seconds": 0.5}).amount == 0.5


def test_the_same_fault_twice_is_recorded_once(state):
    Record.of(state).add(Fault(kind="slow", subject="organizr@vps2", amount=5))
    Record.of(state).add(Fault(kind="slow", subject="organizr@vps2", amount=2))
    assert [str(fault) for fault in Record.of(state).faults] == ["slow organizr@vps2 2"]


def test_a_reboot_cures_services_but_not_networks(state):
    record = Record.of(state)
    for kind, subject in (("hang", "organizr@vps2"), ("power-cut", "vps2"), ("partition", "vps2")):
        record = record.add(Fault(kind=kind, subject=subject))
    assert [f.kind for f in record.cured_by_reboot("vps2")] == ["hang", "power-cut"]


def test_a_topology_is_read_back_as_it_was_written(state):
    save(state, TOPOLOGY)
    assert load(state) == TOPOLOGY


def test_a_damaged_state_file_names_the_way_out(state):
    state.folder.mkdir()
    (state.folder / "faults.json").write_text("{")
    with pytest.raises(LabError, match="python -m lab down"):
        Record.of(state)


def test_a_pid_that_another_process_got_later_is_not_ours(state):

    state.remember("keeper", Process.of(os.getpid()))
    assert state.process("keeper") is not None
    state.remember("keeper", Process(pid=os.getpid(), born="another boot:1"))
    assert state.process("keeper") is None


def test_every_tailnet_address_has_a_link_address_of_its_own():
    assert mac_address("100.67.88.109") == "02:00:64:43:58:6d"


def test_without_root_one_line_says_so(state, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(LabError, match="needs root") as refused:
        requirements.check(state)
    assert "\n" not in str(refused.value)
