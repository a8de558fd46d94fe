"""The contract from outside: vectors, the S3 that plays their part, and the judge."""
