//! The service with a made-up clock, its stores, and `charmd` as a process.

mod charmd;
mod desk;
mod directory;
mod hostile;
mod keeper;
mod memory;
mod socket;
mod sqlite;
mod undo;
