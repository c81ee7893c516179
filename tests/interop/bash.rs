//! Charms in bash, written by hand.
