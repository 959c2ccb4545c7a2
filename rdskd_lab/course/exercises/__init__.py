"""One file of exercises per notebook."""
