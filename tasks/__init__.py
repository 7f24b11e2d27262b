"""What is done to one host: Nornir tasks and their pure parts."""
