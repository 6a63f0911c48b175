"""What data sheets say about accelerators."""

from __future__ import annotations

DATA_SHEET = {
    "B200": 2250e12,
    "GH200": 989e12,
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10G": 70e12,
    "RTX 4090": 165.2e12,
}
"""Dense bfloat16 FLOP/s with float32 sums, from NVIDIA's data sheets; the first name that the device's holds."""


def data_sheet_peak(name: str) -> float | None:
    """FLOP/s by the data sheet, or None for a device that is not listed."""
    return next((peak for part, peak in DATA_SHEET.items() if part in name), None)
