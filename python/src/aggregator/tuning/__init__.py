"""What only saves CPU or memory: skip on first reading. Each file names its plain version."""
