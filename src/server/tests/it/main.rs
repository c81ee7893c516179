//! The service with a made-up clock, its store, and `charmd` as a process.

mod described;
mod desk;
mod gcloud;
mod hostile;
mod http;
mod process;
mod restart;
mod time;
