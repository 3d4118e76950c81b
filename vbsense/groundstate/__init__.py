"""Behind `vbsense.spin`: exact lines, faster tiers, broadening, inversion and tables of the ground state."""
