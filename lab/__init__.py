"""The whole topology on one machine: network, hosts, origins, stand-ins, faults."""
