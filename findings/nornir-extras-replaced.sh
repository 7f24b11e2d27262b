#!/bin/sh
# Nornir merges a host's data and connection options level by level, but not their extras.
#
# with      nornir 3.6.0 (PyPI)
# input     defaults say ssh_strict and system_host_keys, a group conn_timeout, a host fast_cli,
#           all below connection_options.netmiko.extras; the port stands in the defaults alone
# guessed   the host has all four extras, as it has the defaults' port and the group's platform
# seen      port and platform are inherited, key by key, as data is; extras is one value, and the
#           nearest one hides the others: a single extra on one host switches the check of host
#           keys off there
# output    port 2222, platform cisco_ios, extras {'fast_cli': False}
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install nornir==3.6.0

cat > hosts.yaml <<'END'
sw1:
  groups: [lan]
  connection_options:
    netmiko: {extras: {fast_cli: false}}
END
cat > groups.yaml <<'END'
lan:
  connection_options:
    netmiko: {platform: cisco_ios, extras: {conn_timeout: 3}}
END
cat > defaults.yaml <<'END'
connection_options:
  netmiko: {port: 2222, extras: {ssh_strict: true, system_host_keys: true}}
END
cat > try.py <<'END'
from nornir import InitNornir

made = InitNornir(inventory={"plugin": "SimpleInventory"}, logging={"enabled": False})
found = made.inventory.hosts["sw1"].get_connection_parameters("netmiko")
print(f"port {found.port}, platform {found.platform}, extras {found.extras}")
inherited = (found.port, found.platform) == (2222, "cisco_ios")
raise SystemExit(not inherited or found.extras != {"fast_cli": False})
END
env/bin/python try.py || { echo "changed: extras are inherited otherwise"; exit 1; }
