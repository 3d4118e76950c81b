"""Behind `vbsense.files` and `vbsense.spool`: what is on the disk, and how it stays whole."""
