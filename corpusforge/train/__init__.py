"""The trainer: a small LLaMA-style model, its loop and its laws. Needs torch, numpy and the loader, nothing else."""
