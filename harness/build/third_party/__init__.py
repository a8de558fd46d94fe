"""Names the third-party components of a package, with their licences."""
