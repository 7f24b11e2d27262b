"""What stands in, in the lab only, for programs and networks that it cannot have."""
