"""Cameras: the role that the acquisition needs, and what fills it."""
