"""New runs out of finished ones: other thresholds, documents taken out, dumps that displace earlier ones."""
