"""Who is told, when, and in which words; what could not be delivered yet."""
