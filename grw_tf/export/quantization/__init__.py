"""Quantization: float16, 8-bit weights and int8."""
