"""What the sync runbook is made of: a module a verb, and what they all ask of both sides."""
