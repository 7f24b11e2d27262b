"""The runner that config.yaml names is the one that works: Nornir's own, and anybody else's."""

from collections.abc import Callable

import pytest
from nornir.core.plugins.runners import RunnersPluginRegister
from nornir.core.task import AggregatedResult, Task
from nornir.plugins.runners import SerialRunner, ThreadedRunner

from tests.runbook import Runbook
from tests.site import Site
from tests.unit.fakehosts import FakeHosts


class Backwards:
    """As somebody else may write one: the last host comes first, one after the other."""

    def __init__(self, greeting: str) -> None:
        self.greeting = greeting

    def run(self, task: Task, hosts: list) -> AggregatedResult:
        result = AggregatedResult(task.name)
        for host in reversed(hosts):
            result[host.name] = task.copy().start(host)
        return result


RUNNERS = {
    "serial": (SerialRunner, {}),
    "threaded": (ThreadedRunner, {"num_workers": 2}),
    "backwards": (Backwards, {"greeting": "hello"}),
}


@pytest.mark.parametrize("name", RUNNERS)
def test_the_runner_of_the_config_asks_the_hosts(
    name: str,
    site: Site,
    hosts: FakeHosts,
    in_process: Callable[[str], Runbook],
    monkeypatch: pytest.MonkeyPatch,
):
    kind, options = RUNNERS[name]
    RunnersPluginRegister.auto_register()
    monkeypatch.setitem(RunnersPluginRegister.available, name, kind)
    site.change("config", "runner", {"plugin": name, "options": options})
    asked: list[list[str]] = []
    run = kind.run

    def note(self: object, task: Task, chosen: list) -> AggregatedResult:
        asked.append([host.name for host in chosen])
        return run(self, task, chosen)

    monkeypatch.setattr(kind, "run", note)
    done = in_process("status")()
    assert done.status == 0, done.err
    assert asked == [["vps1", "vps2", "unraid"]]
    assert hosts.opened == 3
