"""Read-only probes, one file per hop. Each returns findings and changes nothing."""
