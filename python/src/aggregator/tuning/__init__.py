"""Changes that save CPU or memory: skip on first reading. Each file names its plain version."""
