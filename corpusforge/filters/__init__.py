"""Filters: signals about one document, and the rules that read them."""
