"""What every field of a steady current obeys, for the tests."""

import numpy as np


def relative(got, expected):
    """Largest error of a field, relative to its magnitude at that point."""
    return float((np.linalg.norm(got - expected, axis=-1) / np.linalg.norm(expected, axis=-1)).max())


def gradient(conductor, point, step):
    """dB_i/dx_j by sixth-order differences."""
    offsets = step * np.eye(3)
    weights = {1: 45, -1: -45, 2: -9, -2: 9, 3: 1, -3: -1}
    return sum(w * conductor.field(point + k * offsets).T for k, w in weights.items()) / (60 * step)


def divergence(conductor, point, step):
    """div B over the largest slope."""
    slope = gradient(conductor, np.asarray(point, dtype=float), step)
    return np.trace(slope) / np.abs(slope).max()


def curl(conductor, point, step):
    """curl B (T/m)."""
    slope = gradient(conductor, np.asarray(point, dtype=float), step)
    return np.array([slope[2, 1] - slope[1, 2], slope[0, 2] - slope[2, 0], slope[1, 0] - slope[0, 1]])


def circulation(conductor, centre, radius, axis, count=400):
    """Integral of B round a circle, right-handed about `axis` (T m): mu0 times the current through it."""
    axis = np.asarray(axis, dtype=float) / np.linalg.norm(axis)
    first = np.cross(axis, [0.3, -0.5, 0.8])
    first /= np.linalg.norm(first)
    second = np.cross(axis, first)
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)[:, None]
    path = np.asarray(centre) + radius * (np.cos(angle) * first + np.sin(angle) * second)
    along = np.cos(angle) * second - np.sin(angle) * first
    return (conductor.field(path) * along).sum(axis=1).mean() * 2 * np.pi * radius
