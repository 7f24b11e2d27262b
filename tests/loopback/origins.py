"""A lab origin as a process on loopback."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Running:
    process: subprocess.Popen[str]
    url: str
    http: httpx.Client
    control: Path
    posts: Path

    def told(self, **fault: object) -> None:
        self.control.write_text(json.dumps(fault))


@contextmanager
def origin(folder: Path, name: str, **fault: object) -> Iterator[Running]:
    """The origin of that name, started with a fault if one is given."""
    control = folder / f"{name}.json"
    if fault:
        control.write_text(json.dumps(fault))
    scheme = "https" if fault.get("mode") == "https" else "http"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    flags = ["--service", name, "--host", "vps2", "--listen", f"127.0.0.1:{port}"]
    folders = ["--control-dir", str(folder), "--log-dir", str(folder)]
    process = subprocess.Popen(
        [sys.executable, "-m", "lab.origin", *flags, *folders],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    http = httpx.Client(
        base_url=f"{scheme}://127.0.0.1:{port}", trust_env=False, verify=False, timeout=None
    )
    try:
        assert f"{name}@vps2" in process.stderr.readline()
        yield Running(
            process=process,
            url=f"{scheme}://127.0.0.1:{port}",
            http=http,
            control=control,
            posts=folder / f"{name}.posts.jsonl",
        )
    finally:
        http.close()
        process.kill()
        process.communicate()
