"""Kernels: numba over Arrow buffers; plain arrays in, plain arrays out."""
