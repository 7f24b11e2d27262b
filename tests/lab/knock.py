"""Asks one Caddy at a constant rate, each time on a new connection, until it is ended.

python -m tests.lab.knock ADDRESS HOSTNAME RATE PAUSE   (a process on a lab host)
PAUSE are the seconds that a client takes from its connection to its request.
On SIGTERM it prints one JSON object: {"sent": N, "lost": [[seconds, error], ...]}.
"""

import asyncio
import json
import signal
import ssl
import sys
import time

TIMEOUT = 15.0  # seconds; longer than Caddy's own retry window
LONGEST = 300.0  # seconds; whoever forgets to end it is not asked for ever


async def knock(address: str, hostname: str, pause: float) -> str:
    """What went wrong, or nothing."""
    try:
        async with asyncio.timeout(TIMEOUT):
            reader, writer = await asyncio.open_connection(
                address, 443, ssl=CONTEXT, server_hostname=hostname
            )
            await asyncio.sleep(pause)
            writer.write(
                f"GET / HTTP/1.1\r\nHost: {hostname}\r\nConnection: close\r\n\r\n".encode()
            )
            status = (await reader.readline()).split()
            await reader.read()
            writer.close()
    except (OSError, TimeoutError, ssl.SSLError) as error:
        return f"{type(error).__name__}: {error}"
    return "" if status[1:2] == [b"200"] else f"answered {status}"


async def main(address: str, hostname: str, rate: float, pause: float) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    lost: list[tuple[float, str]] = []
    tasks: set[asyncio.Task[None]] = set()

    async def one() -> None:
        at = time.time()
        if error := await knock(address, hostname, pause):
            lost.append((at, error))

    print("knocking", flush=True)
    started, sent = time.monotonic(), 0
    while not ended.is_set() and time.monotonic() - started < LONGEST:
        task = asyncio.create_task(one())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        sent += 1
        await asyncio.sleep(max(0.0, started + sent / rate - time.monotonic()))
    await asyncio.gather(*tasks)
    print(json.dumps({"sent": sent, "lost": lost}), flush=True)


CONTEXT = ssl.create_default_context()
CONTEXT.check_hostname = False
CONTEXT.verify_mode = ssl.CERT_NONE

if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])))
