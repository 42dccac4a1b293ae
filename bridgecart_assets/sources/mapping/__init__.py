"""Records in a shape of the company's own: the file that maps them to the event, and how they are read by it."""
