"""What each language changes in a record when it parses and prints it, by its usual library."""
