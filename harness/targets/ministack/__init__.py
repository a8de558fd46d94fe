"""An AWS on loopback that takes stacks: ministack, and sessions of the roles in it."""
