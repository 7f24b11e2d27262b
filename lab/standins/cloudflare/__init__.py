"""The lab's stand-in for Cloudflare's API. It keeps one account with one zone in memory."""
