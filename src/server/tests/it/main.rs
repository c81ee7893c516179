//! The service with a made-up clock, its store, and `charmd` as a process.

mod desk;
mod hostile;
mod operations;
mod process;
mod restart;
mod time;
