"""Personal data: detectors and redaction."""
