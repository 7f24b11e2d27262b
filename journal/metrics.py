"""What Prometheus is told: one text file, for node_exporter's textfile collector. Pure.

Names and units are Prometheus' own conventions: seconds, ratios of 0 to 1, `_timestamp_`
for moments since 1970, and no time beside a sample, which the collector refuses.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from inventory.catalogue import Catalogue
from journal.alerts.book import Book
from journal.alerts.problem import problems
from journal.alerts.tell import Alerting
from journal.availability import WINDOWS, availability, of_service
from journal.felt import felt
from journal.history import History
from journal.objectives import objectives
from journal.responses import latest
from tasks.checks.finding import Finding, Status

Labels = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric, a gauge, with its samples."""

    name: str
    help: str
    samples: Sequence[tuple[Labels, float]]

    def __str__(self) -> str:
        lines = [f"# HELP {self.name} {self.help}", f"# TYPE {self.name} gauge"]
        lines += [f"{self.name}{_labels(labels)} {value:.10g}" for labels, value in self.samples]
        return "\n".join(lines) + "\n"


def metrics(
    catalogue: Catalogue, history: History, findings: Sequence[Finding], at: datetime
) -> str:
    """The whole file after a look at everything. May raise JournalError."""
    told = [
        *_of_the_look(findings, at),
        _of_services(catalogue, history, findings, at),
        *_of_alerts(catalogue, history, at),
        *_of_the_past(catalogue, history, at),
    ]
    return "".join(str(metric) for metric in told if metric.samples)


def _of_the_look(findings: Sequence[Finding], at: datetime) -> Iterator[Metric]:
    yield _plain(
        "last_look_timestamp_seconds", "When everything was last looked at.", at.timestamp()
    )
    yield _metric(
        "findings",
        "Findings of the last look, by check and status.",
        (
            ({"check": check, "status": status.word}, count)
            for check in dict.fromkeys(f.check for f in findings)
            for status in Status
            for count in [sum(f.check == check and f.status is status for f in findings)]
        ),
    )
    yield _metric(
        "hop_problem",
        "1 for each hop that has a problem of its own, with how bad it is.",
        (({"hop": p.hop, "status": p.status.word}, 1.0) for p in problems(findings).values()),
    )
    yield _metric(
        "host_up",
        "Was the host reached over SSH?",
        (({"host": f.subject}, float(not f.status.is_broken)) for f in findings if f.is_reach),
    )
    direct = [
        finding
        for finding in findings
        if finding.check == "service"
        and finding.host
        and finding.service
        and finding.status is not Status.UNDEPLOYED
    ]
    yield _metric(
        "service_up",
        "Did the placement answer its health check, as seen from there?",
        ((_placement(f), float(not f.status.is_broken)) for f in direct),
    )
    yield _metric(
        "service_response_seconds",
        "How long the health check took, as seen from there.",
        ((_placement(f), f.seconds) for f in direct if f.status is Status.OK and f.seconds),
    )


def _of_services(
    catalogue: Catalogue, history: History, findings: Sequence[Finding], at: datetime
) -> Metric:
    own: dict[str | None, list[Finding]] = {}
    for finding in findings:
        own.setdefault(finding.service, []).append(finding)
    seconds = latest(history.store, at)
    states = {
        name: felt(service, own.get(name, ()), seconds.get(name))
        for name, service in catalogue.services.items()
    }
    return _metric(
        "service_state",
        "1 for what the users of the service feel, as the page says it.",
        (({"service": n, "state": state.name.lower()}, 1.0) for n, state in states.items()),
    )


def _of_alerts(catalogue: Catalogue, history: History, at: datetime) -> Iterator[Metric]:
    waiting = Book(history.store).waiting()
    silent = Alerting(site=catalogue.site, history=history).silence(at) is not None
    yield _plain("alerts_waiting", "Messages that have not arrived yet.", len(waiting))
    yield _plain("alerts_silenced", "1 while nobody is told anything.", float(silent))


def _of_the_past(catalogue: Catalogue, history: History, at: datetime) -> Iterator[Metric]:
    longest = max(WINDOWS.values())
    episodes = history.episodes(since=at - longest)
    shares = []
    measured = {}
    for service in catalogue.services:
        stretches = of_service(episodes, service, at - longest, at)
        measured[service] = {
            name: availability(stretches, at - window, at) for name, window in WINDOWS.items()
        }
        for name, found in measured[service].items():
            if found.share is not None:
                shares.append(({"service": service, "window": name.replace(" ", "")}, found.share))
    yield _metric(
        "service_availability_ratio",
        "Of the watched time, the part in which users could use the service.",
        shares,
    )
    aims = objectives(catalogue.services.values(), measured)
    yield _metric(
        "service_objective_ratio",
        "Of the watched time, the part in which users are to be able to use the service.",
        (({"service": one.service}, one.percent / 100) for one in aims),
    )
    yield _metric(
        "service_error_budget_left_ratio",
        "What is left of the error budget of 30 days; below 0 when it is overdrawn.",
        (({"service": o.service}, o.left_share) for o in aims if o.left_share is not None),
    )
    ended = [run for run in history.runs(since=at - longest, kind="deploy") if run.ended]
    yield _metric(
        "last_deploy_timestamp_seconds",
        "When the last deploy ended.",
        (({}, run.ended.timestamp()) for run in ended[:1] if run.ended),
    )
    yield _metric(
        "last_deploy_success",
        "1 when the last deploy went well.",
        (({}, float(run.status == 0)) for run in ended[:1]),
    )
    drills = {
        drill.service: (run, drill) for run, drill in reversed(history.drills(since=at - longest))
    }
    yield _metric(
        "last_drill_timestamp_seconds",
        "When the service's failover was last rehearsed.",
        (({"service": name}, run.began.timestamp()) for name, (run, _) in drills.items()),
    )
    yield _metric(
        "last_drill_success",
        "1 when the last drill of the service was within its budget.",
        (({"service": name}, float(drill.kept)) for name, (_, drill) in drills.items()),
    )


def _placement(finding: Finding) -> Labels:
    return {
        "service": str(finding.service),
        "host": str(finding.host),
        "vantage": finding.vantage,
    }


def _plain(name: str, words: str, value: float) -> Metric:
    return _metric(name, words, [({}, value)])


def _metric(name: str, words: str, samples: Iterable[tuple[Labels, float]]) -> Metric:
    return Metric(name=f"twinedge_{name}", help=words, samples=list(samples))


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_quoted(value)}"' for name, value in labels.items()) + "}"


def _quoted(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
