"""Acquisition: a plan that is checked before anything moves, and the engine that carries it out."""
