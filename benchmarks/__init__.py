"""The same work done by peers, side by side, on the lab."""
