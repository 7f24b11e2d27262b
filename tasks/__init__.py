"""What is done to one host: Nornir tasks and their pure parts."""

import sys

# paramiko brings it in for a `Match exec` that it never reads here (tasks/ssh/config.py asks
# OpenSSH), and does without where it is not installed: a fifth of the CPU of a start.
sys.modules.setdefault("invoke", None)  # type: ignore[arg-type]
