"""The least that a Nornir deploy of three files to three hosts can cost.

Renders, compares digests, and with --change uploads, validates and renames: no release, no
lock, no way back, no verification. Run on a controller; benchmarks/deploy.py does.
"""

import hashlib
import logging
import sys
import time
from pathlib import Path
from typing import Any

from nornir import InitNornir
from nornir.core.task import Result, Task

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from inventory.load import load_catalogue, locate
from tasks.configs.render import render_configs

NAMES = ("resolver", "caddy", "mcp")
CHECKS = {
    "resolver": "unbound-checkconf {0} >/dev/null",
    "caddy": "HOME=/tmp caddy validate --adapter caddyfile --config {0} 2>/dev/null",
    "mcp": "true",
}


def put(task: Task, files: list[Any], mark: str) -> Result:
    connection = task.host.get_connection("netmiko", task.nornir.config)
    client = connection.remote_conn_pre
    texts = {f"/root/floor-{file.name}": (file.name, file.text + mark) for file in files}
    _, out, _ = client.exec_command(f"sha256sum {' '.join(texts)} 2>/dev/null")
    there = dict(reversed(line.split()) for line in out.read().decode().splitlines())
    todo = {p: t for p, t in texts.items() if there.get(p) != _digest(t[1])}
    if todo:
        sftp = client.open_sftp()
        for path, (_, text) in todo.items():
            with sftp.open(f"{path}.new", "w") as file:
                file.write(text)
        script = " && ".join(
            f"{CHECKS[name].format(path + '.new')} && mv -f {path}.new {path}"
            for path, (name, _) in todo.items()
        )
        _, out, _ = client.exec_command(script)
        assert out.channel.recv_exit_status() == 0
    return Result(host=task.host, changed=bool(todo))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def main(config: Path, change: bool) -> None:
    logging.disable()
    catalogue, files = load_catalogue(config), locate(config)
    options = {
        "host_file": str(files.hosts),
        "group_file": str(files.groups),
        "defaults_file": str(files.defaults),
    }
    nornir = InitNornir(
        config_file=str(config), inventory={"plugin": "SimpleInventory", "options": options}
    )
    # A connection of nornir-netmiko's, prompt and all.
    nornir.inventory.defaults.connection_options["netmiko"].extras.pop("auto_connect")
    rendered = nornir.run(task=render_configs, catalogue=catalogue, commit="floor")
    mark = f"\n# {time.time()}\n" if change else ""

    def work(task: Task) -> Result:
        mine = [f for f in rendered[task.host.name][0].result if f.name in NAMES]
        return put(task, mine, mark)

    assert not nornir.run(task=work).failed


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--change" in sys.argv)
