"""The clouds in front of an edge: Cloudflare and Tailscale, read, planned, applied."""
