"""What exists: the hosts and services of the edge, in YAML and read into typed nouns."""
