"""Real programs without the lab: its stand-ins on loopback, a drill's load, a browser."""
