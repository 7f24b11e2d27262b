"""Asks one Caddy at a constant rate, each time on a new connection, until it is ended.

A reload waits 0.5 s for the request of a new connection. Where a busy machine makes the
client or Caddy slower than that, a connection that was closed is tried again: once for each
reload that may have met it.

python -m tests.lab.knock ADDRESS HOSTNAME RATE PAUSE   (a process on a lab host)
PAUSE are the seconds that a client takes from its connection to its request.
On SIGTERM it prints one JSON object: {"sent": N, "lost": [[seconds, error], ...]}.
"""

import asyncio
import json
import os
import signal
import ssl
import sys
import time

TIMEOUT = 60.0  # seconds; longer than Caddy's own retry window, and than a busy machine needs
FLYING = 60  # at once, at the most: whoever cannot keep up with the rate asks less often
CLOSED = "closed without an answer"
PROMPT = 0.4  # seconds from the start to the request, which a reload waits for
RELOADS = 5  # one after another, at the most
BUSY = 3.0  # processes that want each processor: Caddy itself may need longer than that
LONGEST = 300.0  # seconds; whoever forgets to end it is not asked for ever


async def knock(address: str, hostname: str, pause: float) -> str:
    """What went wrong, or nothing."""
    for _ in range(RELOADS):
        error, took = await ask(address, hostname, pause)
        if not (error.startswith(CLOSED) and (took > PROMPT or is_busy())):
            break
    return error


def is_busy() -> bool:
    return os.getloadavg()[0] > BUSY * (os.cpu_count() or 1)


async def ask(address: str, hostname: str, pause: float) -> tuple[str, float]:
    """What went wrong, or nothing; and the seconds until the request was sent."""
    began, sent = time.monotonic(), 0.0
    try:
        async with asyncio.timeout(TIMEOUT):
            reader, writer = await asyncio.open_connection(
                address, 443, ssl=CONTEXT, server_hostname=hostname
            )
            await asyncio.sleep(pause)
            writer.write(
                f"GET / HTTP/1.1\r\nHost: {hostname}\r\nConnection: close\r\n\r\n".encode()
            )
            sent = time.monotonic()
            status = (await reader.readline()).split()
            await reader.read()
            writer.close()
        error = "" if status[1:2] == [b"200"] else f"answered {status}" if status else CLOSED
    except (ConnectionResetError, ssl.SSLEOFError) as reset:
        error = f"{CLOSED}: {reset}"
    except (OSError, TimeoutError, ssl.SSLError) as failure:
        error = f"{type(failure).__name__}: {failure}"
    return error, (sent or time.monotonic()) - began


async def main(address: str, hostname: str, rate: float, pause: float) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    lost: list[tuple[float, str]] = []
    flying = asyncio.Semaphore(FLYING)
    tasks: set[asyncio.Task[None]] = set()

    async def one() -> None:
        at = time.time()
        if error := await knock(address, hostname, pause):
            lost.append((at, error))
        flying.release()

    print("knocking", flush=True)
    started, sent = time.monotonic(), 0
    while not ended.is_set() and time.monotonic() - started < LONGEST:
        await flying.acquire()
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
