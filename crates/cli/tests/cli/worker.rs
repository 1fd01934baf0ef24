mod changed_file;
mod checkpoints;
#[cfg(target_os = "linux")]
mod other_user;
#[cfg(target_os = "linux")]
mod poison;
mod work;
mod worker_log;
#[cfg(target_os = "linux")]
mod worker_output;
mod worker_signals;
