"""From a field to the current below it: the operator, its inversions, and what they do not know.

- `operator`: stream function to field and back, for pixels and for spots of sensors;
- `problem`: a map as whitened numbers on a domain larger than its window;
- `tikhonov`: the smoothest current, linear, with the weight from the noise;
- `variation`: the current of least total variation, with a mask or a direction if these are known;
- `scatter`: errors from repeated noise.

`vbsense.analysis.current_density` is the door to them.
"""
