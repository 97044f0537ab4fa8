"""Runs a plan: compiles, schedules, executes and reports nodes."""
