"""Logging in to a host: host keys, keys, the way there, and every refusal in words."""
