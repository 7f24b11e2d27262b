"""Visits one name through the lab's Cloudflare at a constant rate, until it is ended.

python -m tests.soak.visits ADDRESS HOSTNAME RATE   (a process on a lab host)
Every visit begins when it is due, whatever became of the earlier ones (open loop). On SIGTERM
it prints one JSON object: {"sent": N, "slow": [seconds, ...], "lost": [[seconds, what], ...]}; the
seconds are those of the clock when the visit began.
"""

import asyncio
import json
import signal
import ssl
import sys
import time
from pathlib import Path

import aiohttp

TIMEOUT = 10.0  # seconds; a visitor who waits longer is lost
SLOW = 2.0  # seconds
LONGEST = 300.0  # seconds; whoever forgets to end it does not visit for ever
TOKEN = Path("/etc/twinedge/access-token.json")


async def main(address: str, hostname: str, rate: float) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    token = json.loads(TOKEN.read_text(encoding="utf-8"))
    known = {f"CF-Access-Client-{k}": token[f"client_{k.lower()}"] for k in ("Id", "Secret")}
    lost: list[tuple[float, str]] = []
    slow: list[float] = []

    async def visit(session: aiohttp.ClientSession) -> None:
        at, began = time.time(), time.monotonic()
        try:
            async with session.get(f"https://{address}/", server_hostname=hostname) as answer:
                await answer.read()
                error = "" if answer.status == 200 else f"answered {answer.status}"
        except (aiohttp.ClientError, OSError, TimeoutError) as failure:
            error = f"{type(failure).__name__}: {failure}"
        if error:
            lost.append((at, error))
        elif time.monotonic() - began > SLOW:
            slow.append(at)

    print("visiting", flush=True)
    started, tasks = time.monotonic(), []
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=CONTEXT, limit=0),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT),
        headers={"Host": hostname, **known},
    ) as session:
        while not ended.is_set() and time.monotonic() - started < LONGEST:
            tasks.append(asyncio.create_task(visit(session)))
            await asyncio.sleep(max(0.0, started + len(tasks) / rate - time.monotonic()))
        await asyncio.gather(*tasks)
    print(json.dumps({"sent": len(tasks), "slow": sorted(slow), "lost": sorted(lost)}), flush=True)


CONTEXT = ssl.create_default_context()
CONTEXT.check_hostname = False
CONTEXT.verify_mode = ssl.CERT_NONE

if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
