"""Real programs without the lab: stand-ins and services, a drill's load, an endpoint, a browser."""
