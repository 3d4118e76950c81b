"""Current sources with ramp, limit and zero on exit."""
