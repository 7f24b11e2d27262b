"""What the lab asks of the kernel: control groups, namespaces, links, processes."""
