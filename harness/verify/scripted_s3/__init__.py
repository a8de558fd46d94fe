"""An S3 server in memory that fails on command and records every request."""
