//! Both sides of the interface against recordings of its original implementation, in `wire/`.
//!
//! Each hook of a recording is run again with a charm of ours, which makes the same calls, and
//! everything it saw and published is compared.  What differs has to be listed, with the reason, in the
//! table of the test: an unlisted difference fails, and so does a listed one that is none any more.
//! `D5` and the like in the reasons name defects of charms.reactive that are mended here on purpose.

mod wire {
    mod crossed;
    mod difference;
    mod juju;
    mod provides;
    mod recording;
    mod render;
    mod requires;
}
