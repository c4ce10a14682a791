"""What carries the functions: their deployment to Google Cloud and the same system on one machine."""
