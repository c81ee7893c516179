"""The interface between the units of the charm."""
