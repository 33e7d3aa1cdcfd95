"""Quantization: float16, 8-bit weights, int8 and int16."""
