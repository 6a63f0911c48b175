"""corpusforge: raw text dumps in, accounted-for training shards out."""

__version__ = "0.1.0"
