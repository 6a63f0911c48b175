"""What tasks count of the documents they see: integer monoids, merged for the report."""
