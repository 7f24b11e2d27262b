"""The lab's tunnel: what its connector and its edge say to each other, and do with it."""
