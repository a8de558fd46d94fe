"""Aggregates one UTC day of CloudTrail: many gzip files in S3 become a few, one record per line.

One module per step, in the order of the data: config, trigger, store, attempts, claim, lister,
reader, inflater, splitter, writer, publisher. ``errors`` and ``journal`` serve all steps, and
``handler`` connects them. ``s3`` holds the two S3 clients, ``tuning`` what saves CPU or memory.
The contract is SPEC.md.
"""
