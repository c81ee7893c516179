//! The example charm `search-index`: an index that is built in the background.

mod real;
