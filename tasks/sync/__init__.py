"""The two-way sync seen from the controller: its keys, its state, its trees, its conflicts."""
