"""What an operator runs: one script a task, all with the same flags and exit statuses."""
