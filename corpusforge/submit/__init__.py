"""Submitting a run to a managed cloud: stage code and recipe, send the request, follow the job, fetch the report."""
