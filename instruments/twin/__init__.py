"""The simulated rig: one world, instruments that share it, real wires. ``python -m vbsense.instruments.twin``."""
