"""Makes Parquet of published days, beside the chunks and without touching them."""
