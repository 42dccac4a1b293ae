"""Settings, and the error whose text a person reads: known to every room. Imports nothing of ours."""
