"""The look: all that a stand-in can do on a host, with a key that may do nothing else."""
