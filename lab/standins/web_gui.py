"""The lab's stand-in for Unraid's web GUI: it holds ports 80 and 443 and says what it is."""

import argparse

from aiohttp import web

from lab.standins.process import Address, listen, run, sigterm
from lab.standins.self_signed import context


async def serve(name: str) -> None:
    """Answer every path on every address until SIGTERM."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=f"{name}: the web GUI of this host (lab stand-in)\n")

    app = web.Application()
    app.router.add_get("/{path:.*}", page)
    stop = sigterm()
    await listen(app, Address(host="0.0.0.0", port=80))
    await listen(app, Address(host="0.0.0.0", port=443), tls=context(name))
    await stop.wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.standins.web_gui", description=__doc__)
    parser.add_argument("--name", required=True, metavar="HOSTNAME")
    return run(serve(parser.parse_args().name))


if __name__ == "__main__":
    raise SystemExit(main())
