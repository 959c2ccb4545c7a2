"""Runs on disk: what was asked for, its folder, its result."""
