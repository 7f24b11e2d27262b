"""Long proofs: every fault at every step, hundreds of histories. Run by script/soak."""
