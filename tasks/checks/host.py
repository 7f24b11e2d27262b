"""host: can it be reached, has it room, does its clock agree, do our units run?"""

import re
from collections.abc import Iterator

from inventory.catalogue import Catalogue, Host
from tasks.checks import parts
from tasks.checks.finding import Finding, Status
from tasks.checks.survey import Survey
from tasks.configs import replica
from tasks.observe import Question, Reply

DISKS, UNITS, WATCHES = "disks", "units", "inotify watches"
FULL, NEARLY_FULL = 95, 85  # percent of a file system
CLOCK_LIMIT = 0.5  # seconds; a host ahead by more wins conflicts of lsyncd wrongly
WATCHES_QUESTION = Question(name=WATCHES, words=("watches", "lsyncd"))
WATCHES_NEARLY_USED = 80  # percent of fs.inotify.max_user_watches
OWN_UNITS = ("twinedge-boot", "twinedge-revert")


def questions(host: Host, catalogue: Catalogue) -> Iterator[Question]:
    syncs = [sync.directory for sync in catalogue.syncs_of(host.name)]
    paths = dict.fromkeys((*host.places.values(), *syncs, "/var/log"))
    folders = dict.fromkeys(p if p in syncs or p == host.paths.state else _up(p) for p in paths)
    yield Question(name=DISKS, words=("disks", *folders))
    if host.has_systemd:
        units = (f"{unit}.service" for unit in units_of(host, catalogue))
        yield Question(name=UNITS, words=("units", *units))
    if syncs:
        yield WATCHES_QUESTION


def _up(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def units_of(host: Host, catalogue: Catalogue) -> tuple[str, ...]:
    """The systemd units that the edge's work on this host depends on."""
    services = (
        service.unit
        for service in catalogue.services.values()
        if host.name in service.placements and catalogue.manager_of(service, host.name) == "systemd"
    )
    edge = ("caddy", "cloudflared") if host.is_edge else ()
    watch = (replica.UNIT,) if replica.applies(host, catalogue) else ()
    sync = ("lsyncd",) if catalogue.syncs_of(host.name) else ()
    return (*edge, *watch, *sync, *services, *OWN_UNITS)


def judge(survey: Survey) -> Iterator[Finding]:
    yield from judge_reached(survey)
    for host in survey.hosts:
        if host.name in survey.seen:
            yield from _disks(host.name, survey.reply(host.name, DISKS))
            yield _clock(survey, host)
            if survey.catalogue.syncs_of(host.name):
                yield judge_watches(host.name, survey.reply(host.name, WATCHES))
            yield from _own_units(survey, host.name)


def judge_reached(survey: Survey) -> Iterator[Finding]:
    for host in survey.hosts:
        yield _reached(survey, host.name)


def _reached(survey: Survey, host: str) -> Finding:
    """A host that still serves, or refuses us, is not a dead host."""
    lost = survey.lost.get(host)
    serves = any(
        answer.status is not None for (_, on), answer in survey.direct.items() if on == host
    )
    hop, todo = f"host {host}", f"is {host} up, and on the tailnet? tailscale status"
    if lost and (serves or host in survey.refused):
        hop, todo = f"ssh {host}", f"on {host}'s own console: systemctl status ssh"
    status = Status.FAILED if host in survey.refused else Status.UNREACHABLE
    return Finding(
        check="host",
        subject=host,
        vantage=survey.here,
        status=status if lost else Status.OK,
        seen=lost or "reached over SSH",
        expected="reached over SSH",
        host=host,
        hop=hop,
        todo=todo,
        part=hop,
    )


def _disks(host: str, reply: Reply) -> Iterator[Finding]:
    for mount, percent in used_space(reply.text).items():
        status = Status.OK if percent < NEARLY_FULL else Status.WARN
        yield Finding(
            check="host",
            subject=f"disk {mount} of {host}",
            vantage=host,
            status=Status.FAILED if percent >= FULL else status,
            seen=f"{percent} % used",
            expected=f"less than {NEARLY_FULL} %",
            host=host,
            hop=f"disk {host}",
            todo=f"on {host}: du -xh -d 2 {mount} | sort -h | tail",
            needs=(parts.host(host),),
        )


def used_space(text: str) -> dict[str, int]:
    """Mount point -> percent used, from `df -P`."""
    lines = re.findall(r"(\d+)% +(/.*)$", text, re.MULTILINE)
    return {mount: int(percent) for percent, mount in lines}


def _clock(survey: Survey, host: Host) -> Finding:
    least, most = survey.seen[host.name].clock_ahead
    off = least > CLOCK_LIMIT or most < -CLOCK_LIMIT
    synced = bool(survey.catalogue.syncs_of(host.name))
    middle = (least + most) / 2
    way = "ahead of" if middle > 0 else "behind"
    return Finding(
        check="host",
        subject=f"clock of {host.name}",
        vantage=survey.here,
        status=Status.OK if not off else Status.FAILED if synced else Status.WARN,
        seen=f"{abs(middle):.1f} s {way} {survey.here}" if off else "agrees",
        expected=f"within {CLOCK_LIMIT} s of {survey.here}",
        host=host.name,
        hop=f"clock {host.name}",
        todo=f"on {host.name}: timedatectl; run a time daemon (chrony, systemd-timesyncd)",
        needs=(parts.host(host.name),),
    )


def judge_watches(host: str, reply: Reply) -> Finding:
    """lsyncd ends when it gets no watch for a folder."""
    used, _, limit = reply.text.partition(" ")
    known = used.isdigit() and limit.isdigit()
    percent = 100 * int(used) // int(limit) if known else 0
    nearly = percent >= WATCHES_NEARLY_USED
    return Finding(
        check="host",
        subject=f"inotify watches of {host}",
        vantage=host,
        status=Status.SKIPPED if not known else Status.WARN if nearly else Status.OK,
        seen=f"{percent} % of {limit} used" if known else reply.text[:60],
        expected=f"less than {WATCHES_NEARLY_USED} % used",
        host=host,
        hop=f"sync {host}",
        todo=f"on {host}: sysctl fs.inotify.max_user_watches=524288, and in /etc/sysctl.d",
        needs=(parts.host(host),),
    )


def _own_units(survey: Survey, host: str) -> Iterator[Finding]:
    """Units of twinedge itself; those of a hop are that hop's own check."""
    for unit in OWN_UNITS:
        state = survey.unit_state(host, unit)
        if state is None:
            continue
        yield Finding(
            check="host",
            subject=f"unit {unit} on {host}",
            vantage=host,
            status=Status.FAILED if state == "failed" else Status.OK,
            seen=state,
            expected="not failed",
            host=host,
            hop=f"host {host}",
            todo=f"on {host}: journalctl -u {unit} -n 50",
            needs=(parts.host(host),),
        )
