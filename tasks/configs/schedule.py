"""The schedule: a service and a timer for each job, and what starts and reports them.

A host that does not run a job has no unit of it: a removal is part of a release like any
other change, and goes back with it.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from inventory.catalogue import Catalogue, Host
from inventory.hours import DAYS
from inventory.schedule import Schedule, Timing
from inventory.source import ROOT
from tasks.configs.file import TIMERS, Activation, ConfigFile, Render
from tasks.tools import SYSTEMD

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "verify": ("runbooks/verify.py", "--quiet"),
    "sync": ("runbooks/sync.py", "verify"),
    "readiness": ("runbooks/failover.py", "--check"),
    "drill": ("runbooks/failover.py", "--all", "--apply"),
}
# A drill that was missed waits for its next time: its window is the operator's choice.
CAUGHT_UP = ("sync", "readiness")
HEARD = "/run/twinedge/heard"  # a file for each host that gives signs of life; not kept at boot
FIRST = 60  # seconds from the boot to the first run, at most

# The staged copy has no name that systemd takes; a timer asks for its service.
VALIDATE = """\
cp "$1" "$scratch/{unit}" || exit 1
[ -e "$scratch/{job}.service" ] ||
    printf '[Service]\\nType=oneshot\\nExecStart=/bin/true\\n' > "$scratch/{job}.service"
systemd-analyze verify "$scratch/{unit}"
"""
# What is gone is stopped while systemd still knows it.
ACTIVATE = """\
for job in {jobs}; do
    [ ! -e {units}/twinedge-$job.timer ] || continue
    systemctl stop twinedge-$job.timer 2>/dev/null
    systemctl reset-failed twinedge-$job.service 2>/dev/null
done
systemctl daemon-reload || exit 1
for job in {jobs}; do
    [ ! -e {units}/twinedge-$job.timer ] || systemctl restart twinedge-$job.timer || exit 1
done
"""
CHECK = """\
for job in {jobs}; do
    [ ! -e {units}/twinedge-$job.timer ] ||
        systemctl -q is-active twinedge-$job.timer || exit 1
done"""


def unit_name(job: str, kind: str) -> str:
    return f"twinedge-{job}.{kind}"


def _service(job: str, host: Host, catalogue: Catalogue, render: Render) -> ConfigFile:
    schedule = catalogue.site.schedule
    timing = schedule.jobs_of(host.name).get(job)
    text = (
        render(
            "systemd/job.service.j2",
            **_common(catalogue),
            name=job,
            here=host.name,
            elders=schedule.elders_of(host.name),
            juniors=schedule.juniors_of(host.name),
            command=command(schedule, job),
            looks=host.name in schedule.juniors,
            limit=_seconds(timing.limit),
        )
        if timing
        else None
    )
    return _unit(host, unit_name(job, "service"), text, schedule)


def _timer(job: str, host: Host, catalogue: Catalogue, render: Render) -> ConfigFile:
    schedule = catalogue.site.schedule
    timing = schedule.jobs_of(host.name).get(job)
    text = render("systemd/job.timer.j2", name=job, **_times(job, timing)) if timing else None
    return _unit(host, unit_name(job, "timer"), text, schedule)


def _failed(host: Host, catalogue: Catalogue, render: Render) -> ConfigFile:
    schedule = catalogue.site.schedule
    runs = schedule.jobs_of(host.name)
    text = render("systemd/job-failed.service.j2", **_common(catalogue)) if runs else None
    return _unit(host, "twinedge-failed@.service", text, schedule)


def _wanted(host: Host, catalogue: Catalogue, render: Render) -> ConfigFile:
    schedule = catalogue.site.schedule
    timers = [unit_name(job, "timer") for job in schedule.jobs_of(host.name)]
    text = render("systemd/timers.conf.j2", timers=timers) if timers else None
    return ConfigFile(
        name="schedule",
        path=f"{host.paths.units}/timers.target.d/twinedge.conf",
        text=text,
        activation=_activation(host, schedule),
    )


UNITS: tuple[Callable[[Host, Catalogue, Render], ConfigFile], ...] = (
    *(partial(build, job) for job in COMMANDS for build in (_service, _timer)),
    _failed,
    _wanted,
)


def command(schedule: Schedule, job: str) -> tuple[str, ...]:
    """The words behind the interpreter."""
    runbook, *flags = COMMANDS[job]
    return (f"{checkout(schedule)}/{runbook}", *flags)


def checkout(schedule: Schedule) -> str:
    return schedule.checkout or str(ROOT)


def settings(catalogue: Catalogue) -> str:
    """Where the hosts of the schedule have the Nornir settings that this deploy uses.

    A site in the product's checkout lies at the same place in theirs, one of its own at the
    same path.
    """
    schedule, config = catalogue.site.schedule, catalogue.config
    if schedule.site:
        return str(PurePosixPath(schedule.site, schedule.settings or config.name))
    if schedule.settings:
        return str(PurePosixPath(checkout(schedule), schedule.settings))
    if config.is_relative_to(ROOT):
        return str(PurePosixPath(checkout(schedule), config.relative_to(ROOT)))
    return str(config)


def python(schedule: Schedule) -> str:
    return f"{checkout(schedule)}/.venv/bin/python"


def cron_lines(catalogue: Catalogue) -> Iterator[str]:
    """The same jobs for /etc/cron.d, as far as cron can say it: no jitter, no catching up."""
    schedule = catalogue.site.schedule
    yield "# Twinedge, for /etc/cron.d/twinedge on one host. Cron sends what a job prints by mail."
    yield f"TWINEDGE_CONFIG={settings(catalogue)}"
    for job, timing in schedule.jobs.items():
        when = _cron_time(timing)
        if when is None:
            yield f"# {job}: cron has no `every {timing.every}`"
            continue
        words = " ".join((python(schedule), *command(schedule, job)))
        alone = f"flock -n /run/lock/twinedge-{job} timeout -k 120 {_seconds(timing.limit)}"
        yield f"{when} {schedule.user} cd {checkout(schedule)} && {alone} {words}"


def _cron_time(timing: Timing) -> str | None:
    """The five fields; None for an interval that does not fit into an hour or a day."""
    if timing.every is None:
        hour, minute = timing.time.split(":")
        days = ",".join(str((DAYS.index(day) + 1) % 7) for day in timing.days) or "*"
        return f"{int(minute)} {int(hour)} * * {days}"
    minutes, rest = divmod(_seconds(timing.every), 60)
    if not rest and minutes and 60 % minutes == 0:
        return f"*/{minutes} * * * *" if minutes < 60 else "0 * * * *"
    hours, rest = divmod(minutes, 60)
    return f"0 */{hours} * * *" if not rest and hours and 24 % hours == 0 else None


def _common(catalogue: Catalogue) -> Mapping[str, Any]:
    schedule = catalogue.site.schedule
    return {
        "user": schedule.user,
        "checkout": checkout(schedule),
        "settings": settings(catalogue),
        "python": python(schedule),
        "schedule": f"{checkout(schedule)}/runbooks/schedule.py",
    }


def _times(job: str, timing: Timing) -> Mapping[str, Any]:
    every = _seconds(timing.every) if timing.every else 0
    return {
        "every": every,
        "first": min(every, FIRST),
        "days": ",".join(timing.days),
        "time": timing.time,
        "catch_up": job in CAUGHT_UP,
        "jitter": _seconds(timing.spread),
    }


def _seconds(time: timedelta) -> int:
    return max(round(time.total_seconds()), 1)


def _unit(host: Host, unit: str, text: str | None, schedule: Schedule) -> ConfigFile:
    return ConfigFile(
        name=unit,
        path=f"{host.paths.units}/{unit}",
        text=text,
        tool=SYSTEMD if text else None,
        validate=VALIDATE.format(unit=unit, job=unit.partition(".")[0]) if text else "",
        activation=_activation(host, schedule),
    )


def _activation(host: Host, schedule: Schedule) -> Activation:
    """Both commands go by the files that are there: a revert runs them, too.

    A host that has just begun to listen counts as one that has just heard.
    """
    heard = "".join(f"touch {HEARD}/{elder}\n" for elder in schedule.elders_of(host.name))
    jobs = {"jobs": " ".join(COMMANDS), "units": host.paths.units}
    return Activation(
        name="schedule",
        order=TIMERS,
        command=f"mkdir -p {HEARD}\n{heard}{ACTIVATE.format(**jobs)}",
        check=CHECK.format(**jobs),
    )
