"""What an inventory may say of SSH: merged key by key, and never without strict host keys."""

from typing import Any

import pytest

from inventory.catalogue import Host
from inventory.errors import InventoryError
from inventory.load import load_catalogue
from inventory.ssh import Login
from tests.site import Site

EXTRAS = "connection_options.netmiko.extras"


def host(site: Site, name: str = "vps1") -> Host:
    return load_catalogue(site.config).hosts[name]


def refusal(site: Site) -> str:
    with pytest.raises(InventoryError) as caught:
        load_catalogue(site.config)
    return str(caught.value)


def test_a_host_with_one_extra_of_its_own_keeps_all_the_others(site: Site):
    site.change("hosts", f"vps1.{EXTRAS}", {"conn_timeout": 30})
    site.change("groups", f"edge.{EXTRAS}", {"key_file": "~/.ssh/edges"})
    login = host(site).login
    assert (login.conn_timeout, login.key_file) == (30, "~/.ssh/edges")
    assert login.ssh_strict and login.system_host_keys and not login.auto_connect
    assert host(site, "unraid").login.key_file == "~/.ssh/id_ed25519"


def test_an_inventory_that_says_nothing_of_ssh_is_as_strict(site: Site):
    site.change("defaults", "connection_options", None)
    assert host(site).login == Login()
    assert Login().ssh_strict and Login().system_host_keys and not Login().auto_connect


def test_a_group_of_a_group_counts_too(site: Site):
    site.change("groups", "edge.groups", ["hetzner"])
    site.change("groups", f"hetzner.{EXTRAS}", {"key_file": "/etc/keys/hetzner"})
    assert host(site).login.key_file == "/etc/keys/hetzner"


def test_a_group_in_itself_is_refused(site: Site):
    site.change("groups", "edge.groups", ["media"])
    site.change("groups", "media.groups", ["edge"])
    assert "is in itself" in refusal(site)


def port(site: Site) -> int:
    return host(site).port


def test_the_nearest_port_wins_however_it_is_said(site: Site):
    site.change("groups", "edge.connection_options", {"netmiko": {"port": 2222}})
    assert port(site) == 2222
    site.change("hosts", "vps1.port", 2022)
    assert port(site) == 2022
    site.change("hosts", "vps1.connection_options", {"netmiko": {"port": 2023}})
    assert port(site) == 2023


NONSENSE: list[tuple[str, str, Any, str]] = [
    ("hosts", f"vps1.{EXTRAS}", {"ssh_strict": False}, "extras.ssh_strict: is always true here"),
    ("groups", f"edge.{EXTRAS}", {"ssh_strict": "true"}, "extras.ssh_strict: is always true here"),
    ("defaults", f"{EXTRAS}.ssh_strict", 0, "extras.ssh_strict: is always true here, not 0"),
    ("hosts", f"vps1.{EXTRAS}", {"auto_connect": True}, "extras.auto_connect: is always false"),
    ("hosts", f"vps1.{EXTRAS}", {"ssh_strikt": True}, "extras.ssh_strikt: unknown key (known: al"),
    ("hosts", f"vps1.{EXTRAS}", {"conn_timeout": -1}, "extras.conn_timeout: "),
    ("hosts", f"vps1.{EXTRAS}", {"conn_timeout": 0}, "extras.conn_timeout: "),
    ("hosts", f"vps1.{EXTRAS}", {"conn_timeout": True}, "conn_timeout: should be a number of sec"),
    ("hosts", f"vps1.{EXTRAS}", {"auth_timeout": "10"}, "auth_timeout: should be a number of sec"),
    ("hosts", f"vps1.{EXTRAS}", {"auth_timeout": None}, "extras.auth_timeout: "),
    ("hosts", f"vps1.{EXTRAS}", {"banner_timeout": float("nan")}, "extras.banner_timeout: "),
    ("hosts", f"vps1.{EXTRAS}", {"key_file": "id_ed25519"}, "key_file: 'id_ed25519' is not an abs"),
    ("hosts", f"vps1.{EXTRAS}", {"key_file": 5}, "extras.key_file: should be text"),
    ("hosts", f"vps1.{EXTRAS}", {"passphrase": "tr0ub4dor"}, "passphrase: is not a secret refere"),
    ("hosts", f"vps1.{EXTRAS}", {"ssh_config_file": "~/.ssh/config"}, "data.ssh.config is where"),
    ("hosts", f"vps1.{EXTRAS}", ["ssh_strict"], "extras: should be a mapping of keys"),
    ("hosts", "vps1.connection_options", {"netmiko": None}, "netmiko: should be a mapping of keys"),
    ("hosts", f"vps1.{EXTRAS}", {"system_host_keys": False}, "leaves no host key to know it by"),
    ("hosts", f"vps1.{EXTRAS}", {"alt_host_keys": True}, "extras.alt_key_file: is missing"),
    ("hosts", "vps1.connection_options", {"netmiko": {"hostname": "a"}}, "has one address"),
    ("hosts", "vps1.connection_options", {"netmiko": {"port": 0}}, "connection_options.netmiko.p"),
    ("hosts", "vps1.connection_options", {"netmiko": {"port": "22"}}, "should be a whole number"),
    ("hosts", "vps1.connection_options", [], "connection_options: should be a mapping of keys"),
    ("hosts", "vps1.data", {"login": {}}, "vps1.data.login: unknown key (known: manager, paths"),
    ("hosts", "vps1.data", {"ssh": {"jmp": "x"}}, "data.ssh.jmp: unknown key (known: config, jump"),
    ("hosts", "vps1.data", {"ssh": {"jump": "a b"}}, "'a b' is not a host to jump through"),
    ("hosts", "vps1.data", {"ssh": {"jump": "-oX=y"}}, "is not a host to jump through"),
    ("hosts", "vps1.data", {"ssh": {"jump": "a:99999"}}, "is not a host to jump through"),
    ("hosts", "vps1.data", {"ssh": {"jump": "vps1"}}, "the way to vps1 leads through vps1 twice"),
    ("defaults", "data.ssh", {"jump": "unraid"}, "leads through unraid twice"),
    ("defaults", "data.ssh", "jump", "data.ssh: should be a mapping of keys"),
]


@pytest.mark.parametrize(("file", "key", "value", "words"), NONSENSE)
def test_nonsense_about_ssh_is_refused_with_its_file_and_key(
    site: Site, file: str, key: str, value: object, words: str
):
    site.change(file, key, value)
    said = refusal(site)
    assert words in said
    assert "tr0ub4dor" not in said
    assert ".yaml: " in said and "Traceback" not in said and "pydantic" not in said


def test_nornirs_own_ssh_config_file_is_refused_where_a_site_relies_on_it(site: Site):
    content = site.read("config") | {"ssh": {"config_file": "~/.ssh/config"}}
    site.write("config", content)
    assert "ssh.config_file: '~/.ssh/config' is not read" in refusal(site)
    site.write("config", content | {"ssh": {"config_file": "/dev/null"}})
    assert load_catalogue(site.config)


def test_a_jump_host_of_the_inventory_is_logged_in_to_as_it_is_itself(site: Site):
    site.change("hosts", "vps1.port", 2222)
    site.change("hosts", "vps1.username", "ops")
    site.change("hosts", "unraid.data", {"ssh": {"jump": ["bastion.example", "vps1"]}})
    way = load_catalogue(site.config).way_to("unraid")
    assert [(stop.user, stop.address, stop.port) for stop in way] == [
        ("root", "bastion.example", 22),
        ("ops", "100.67.88.109", 2222),
        ("root", "100.76.168.116", 22),
    ]
