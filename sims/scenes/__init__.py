"""What scenes are made of: spectra of many sites, light, microscope, drift."""
