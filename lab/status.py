"""What `python -m lab status` shows of a lab."""

import os
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lab.api import Lab
from lab.state import Process


def show(lab: Lab, console: Console) -> bool:
    """Prints the table; true when every host runs and nothing has failed on it."""
    table = Table("host", "tailnet", "internet", "state", "up", "faults")
    states = []
    for machine in lab.machines.values():
        host = lab.host(machine.name)
        init = host.init
        states.append(host.condition(init) if init else "off")
        faults = [str(fault) for fault in lab.faults if fault.host == machine.name]
        table.add_row(
            machine.name,
            machine.tailnet or "-",
            machine.internet,
            states[-1],
            _uptime(init) if init else "-",
            "\n".join(faults) or "-",
        )
    console.print(table)
    return all(state == "running" for state in states)


def _uptime(init: Process) -> str:
    started = int(init.born.rpartition(":")[2]) / os.sysconf("SC_CLK_TCK")
    seconds = int(float(Path("/proc/uptime").read_text().split()[0]) - started)
    return str(timedelta(seconds=seconds))
