"""What leaves a lab: a string, a script, a page."""
