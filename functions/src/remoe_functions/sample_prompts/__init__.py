"""Short prompts of many kinds, written for this project: what a fresh history is recorded from."""
