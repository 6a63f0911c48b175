"""Tokenizers: training on the corpus, encoding."""
