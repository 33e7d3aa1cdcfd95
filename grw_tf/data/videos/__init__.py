"""Reads video files: chooses the stream, turns frames upright, samples them."""
