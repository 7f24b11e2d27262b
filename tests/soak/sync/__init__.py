"""Random histories of two sides of a sync, with faults in between, and their judgement."""
