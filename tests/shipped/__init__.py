"""The YAML as it is shipped. An operator has another, so only CI runs these."""
