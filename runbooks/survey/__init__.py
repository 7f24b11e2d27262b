"""A verify: the questions to all hosts at once, and the ways to show the findings."""
