//! A connection to the unit agent.
