"""What a lab host's file system holds: the software layer and what is written on top."""
