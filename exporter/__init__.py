"""TekUp Service Registry: what is broken, since when, whose fault it is, and what to do."""
