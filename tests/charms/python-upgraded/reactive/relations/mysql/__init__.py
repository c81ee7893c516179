"""The interface of the other side."""
