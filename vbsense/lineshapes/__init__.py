"""Parts of `vbsense.lineshape`: what a model is, the formulas, their kernels, and models made from other models."""
