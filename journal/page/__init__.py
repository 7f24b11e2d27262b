"""The page of the last look: what is so now, what was in the last days, and since when."""
