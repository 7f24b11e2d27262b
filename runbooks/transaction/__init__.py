"""The transaction of every runbook that changes hosts: how it begins, runs and is shown."""
