"""Microwave sources with triggered lists."""
