"""What everything may know: the settings, and the error whose text a person reads. Imports nothing of ours."""
