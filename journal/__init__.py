"""What is remembered, and who is told: history, alerts, metrics, the page."""
