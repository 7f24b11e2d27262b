"""A failover drill: is everything ready, the rehearsal itself, and how it is shown."""
