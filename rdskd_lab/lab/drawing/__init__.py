"""Pictures of the lab, as SVG and PNG."""
