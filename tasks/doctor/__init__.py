"""What a deploy meets that it does not make: the hosts as they are, and what the site names."""
