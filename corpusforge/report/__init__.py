"""Reports: what a run did, and why, from its committed files alone."""
