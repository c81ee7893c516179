//! The service with a made-up clock, its stores, and `charmd` as a process.

mod charmd;
mod described;
mod desk;
mod directory;
mod drawn;
mod gcloud;
mod hostile;
mod http;
mod keeper;
mod memory;
mod operations;
mod service;
mod socket;
mod sqlite;
mod undo;
mod wake;
