//! The service with a made-up clock, its store, and `charmd` as a process.

mod desk;
mod hostile;
mod process;
mod restart;
mod time;
mod undo;
