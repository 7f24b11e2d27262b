"""Failover drills: the fault, its armed restore, the load, the ledger and the judgement."""
