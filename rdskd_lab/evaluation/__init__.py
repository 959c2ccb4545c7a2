"""How good a student is on real images, and how good generated images are."""
