"""What script/demo shows: a deploy, every service through both Caddys, a failover and back."""

import sys
import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table

from inventory.catalogue import Catalogue, Service
from inventory.load import load_catalogue
from lab.api import Lab
from lab.errors import LabError
from lab.options import SITE, Options

DEPLOY = ["python", "runbooks/deploy.py", "--apply", "--allow-dirty", "--allow-older"]
PATIENCE = 60.0  # seconds until the primary has to be back: two intervals and the passive 30 s

out = Console(highlight=False)


class DemoFailed(Exception):
    """The demo did not show what it promises."""


def main(arguments: Sequence[str]) -> int:
    lab = Lab.for_checkout()
    catalogue = load_catalogue(lab.state.checkout / SITE)
    try:
        show(lab, catalogue)
    except (DemoFailed, LabError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130
    finally:
        if "--keep" not in arguments:
            lab.down()
    out.print(_farewell(catalogue, kept="--keep" in arguments))
    return 0


def show(lab: Lab, catalogue: Catalogue) -> None:
    hosts = ", ".join(catalogue.hosts)
    step(f"1. Boot {hosts}, a client on the tailnet and Cloudflare's stand-in")
    lab.up(lambda text: out.print(f"   {text}"), Options.default(lab.state))
    lab.heal()
    step(f"2. Deploy every config from {catalogue.site.control}, the control node, over SSH")
    deploy(lab, catalogue)
    step("3. Every service, asked by the client through both Caddys")
    all_services(lab, catalogue)
    service = shown(catalogue)
    step(f"4. Stop {service.title} on {service.placements[0]}, its primary")
    failover(lab, catalogue, service)


def shown(catalogue: Catalogue) -> Service:
    """The service whose failover is shown."""
    return next(s for s in catalogue.web_services if s.drillable)


def step(words: str) -> None:
    out.print(f"\n[bold]{words}[/bold]")


def deploy(lab: Lab, catalogue: Catalogue) -> None:
    done = lab.run(catalogue.site.control, DEPLOY, timeout=300)
    if done.returncode:
        raise DemoFailed(f"the deploy failed:\n{done.stderr}")
    for line in done.stdout.splitlines():
        out.print(f"   {line}", markup=False, soft_wrap=True)


def all_services(lab: Lab, catalogue: Catalogue) -> None:
    table = Table("service", *[f"through {edge.name}" for edge in catalogue.edges])
    for service in catalogue.web_services:
        answers = [ask(lab, catalogue, edge.name, service) for edge in catalogue.edges]
        if not all(answers):
            raise DemoFailed(f"{service.name} does not answer through every Caddy")
        table.add_row(service.title, *[f"answered by {answer}" for answer in answers])
    out.print(table)


def failover(lab: Lab, catalogue: Catalogue, service: Service) -> None:
    primary, fallback = service.placements[:2]
    subject = f"{service.name}@{primary}"
    edge = catalogue.edges[0].name

    def answers() -> str:
        return ask(lab, catalogue, edge, service)

    lab.fault("stop", subject)
    took = until(answers, fallback)
    out.print(f"   {fallback}, the fallback, answers {took:.1f} s after the stop")
    step(f"5. Start {service.title} on {primary} again")
    lab.end_fault("stop", subject)
    took = until(answers, primary)
    out.print(f"   {primary}, the primary, is back {took:.1f} s after the start")


def until(answers: Callable[[], str], host: str) -> float:
    """Seconds until `host` answers. Raises DemoFailed when it never does."""
    started = time.monotonic()
    while answers() != host:
        if time.monotonic() - started > PATIENCE:
            raise DemoFailed(f"{host} did not answer within {PATIENCE:.0f} s")
        time.sleep(0.2)
    return time.monotonic() - started


def ask(lab: Lab, catalogue: Catalogue, edge: str, service: Service) -> str:
    """The host that answered the client through `edge`'s Caddy; empty when nobody did."""
    address = catalogue.hosts[edge].address
    done = lab.run(
        "client",
        [
            *("curl", "-sk", "-m", "10", "-o", "/dev/null"),
            *("-w", "%{http_code} %header{x-served-by}"),
            *("--resolve", f"{service.hostname}:443:{address}"),
            f"https://{service.hostname}/",
        ],
    )
    status, _, served_by = done.stdout.partition(" ")
    address_served = served_by.partition(":")[0]
    named = [h.name for h in catalogue.hosts.values() if str(h.address) == address_served]
    return named[0] if status == "200" and named else ""


def _farewell(catalogue: Catalogue, *, kept: bool) -> str:
    if not kept:
        return "\nThat was all of it; the lab is down again. Your own hosts: README.md."
    control, service = catalogue.site.control, shown(catalogue)
    return (
        "\nThe lab is up. Look around:\n"
        "   .venv/bin/python -m lab status\n"
        f"   .venv/bin/python -m lab exec {control} -- python runbooks/deploy.py\n"
        f"   .venv/bin/python -m lab fault start hang {service.name}@{service.placements[0]}\n"
        "   .venv/bin/python -m lab down"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
