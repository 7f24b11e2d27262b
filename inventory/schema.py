"""The version of every JSON document that a runbook prints: its key `schema`.

It grows when a key is removed or changes its meaning, not when one is added. Older keys of the
same meaning (`version` of verify.py) stay for one version of twinedge.
"""

SCHEMA = 1
