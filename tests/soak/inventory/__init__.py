"""Hostile inventories, by the thousand: refused in words, or rendered and taken by the programs."""
