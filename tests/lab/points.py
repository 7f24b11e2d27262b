"""Stops what a deploy runs on a host just before a command of it that a test chose.

Each outside command of tasks/host/release.sh gets a wrapper in front of it on the lab
host's PATH. The wrappers count; at the chosen number they say so and wait, fail or hang.
The product knows nothing of them.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.api import Lab
from tests.lab.conftest import shell

TOOLS = (
    *("base64", "caddy", "chmod", "chown", "cmp", "cp", "curl", "flock", "ln", "lsyncd", "mkdir"),
    *("mv", "rm", "setsid", "sha256sum", "sync", "systemctl", "systemd-run", "tar", "timeout"),
    "unbound-checkconf",
)

WRAPPER = """\
#!/bin/sh
# A test's wrapper around {tool}.
real={real}
here=$PWD
cd /run/points 2>/dev/null || exec $real "$@"
exec 3>lock; /usr/bin/flock 3
echo "{tool} $*" >> log
pattern=$(cat pattern)
# shellcheck disable=SC2254
case "{tool} $*" in $pattern) n=$(($(cat count) + 1)); echo $n > count ;; *) n=none ;; esac
exec 3>&-
if [ "$n" = "$(cat stop)" ]; then
    : > reached
    mode=$(cat mode)
    [ "$mode" = go ] || until [ -e go ]; do /usr/bin/sleep 0.05; done
    [ "$mode" != fail ] || {{ echo "{tool}: a test made it fail" >&2; exit 1; }}
fi
cd "$here" && exec $real "$@"
"""


@dataclass(frozen=True, order=True)
class Step:
    """The `occurrence`th command on a host that looks like `pattern` (of the shell's `case`)."""

    pattern: str
    occurrence: int

    def __str__(self) -> str:
        return self.pattern if self.occurrence == 1 else f"{self.pattern} ({self.occurrence})"


class Points:
    """The wrappers on one host. `arm` before a deploy, `wait` for it to get there, `go` on."""

    def __init__(self, lab: Lab, host: str) -> None:
        self.lab, self.host = lab, host

    def install(self) -> None:
        script = []
        for tool in TOOLS:
            text = WRAPPER.format(tool=tool, real=f"/usr/bin/{tool}")
            path = f"/usr/local/sbin/{tool}"
            script.append(
                f"for real in /usr/bin/{tool} /usr/sbin/{tool}; do [ -x $real ] || continue\n"
                f"cat > {path} <<'END'\n{text}END\n"
                f'/usr/bin/sed -i "s|^real=.*|real=$real|" {path}; /usr/bin/chmod 755 {path}\n'
                "done\n"
            )
        shell(self.lab, self.host, "".join(script))

    def remove(self) -> None:
        paths = " ".join(f"/usr/local/sbin/{tool}" for tool in TOOLS)
        self.lab.run(self.host, ["/usr/bin/rm", "-rf", *paths.split(), "/run/points"])

    def arm(self, step: Step | None, *, mode: str = "wait") -> None:
        """Stop before `step`, None only logs. `mode`: wait until `go`, or fail after it."""
        pattern, stop = (step.pattern, step.occurrence) if step else ("", 0)
        self._plain(
            "rm -rf /run/points; mkdir -p /run/points; cd /run/points; echo 0 > count; : > log; "
            f"echo '{pattern}' > pattern; echo {stop} > stop; echo {mode} > mode"
        )

    def go(self) -> None:
        self._plain("[ ! -d /run/points ] || : > /run/points/go")

    def wait(self, ended: Callable[[], bool]) -> bool:
        """True when the step was reached; False when the deploy ended before it."""
        reached = ["/usr/bin/test", "-e", "/run/points/reached"]
        while self.lab.run(self.host, reached).returncode:
            if ended():
                return False
            time.sleep(0.05)
        return True

    def log(self) -> list[Step]:
        """Every command that ran, release ids and lock tokens left open."""
        seen: dict[str, int] = {}
        steps = []
        for line in self._plain("cat /run/points/log").splitlines():
            pattern = re.sub(r"\d{8}T\d{6}-[0-9a-f]{6}|\.[0-9a-f]{16}\b", "*", line)
            seen[pattern] = seen.get(pattern, 0) + 1
            steps.append(Step(pattern, seen[pattern]))
        return steps

    def _plain(self, script: str) -> str:
        """Run with the real tools, so that nothing of the test is counted."""
        return shell(self.lab, self.host, f"PATH=/usr/bin:/bin; {script}")
