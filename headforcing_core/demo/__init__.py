"""The model the demo runs, and what it draws of it."""
