mod changed_file;
mod checkpoints;
#[cfg(unix)]
mod dependencies;
#[cfg(unix)]
mod fan_out;
#[cfg(target_os = "linux")]
mod other_user;
#[cfg(target_os = "linux")]
mod poison;
#[cfg(target_os = "linux")]
pub(crate) mod programs;
pub(crate) mod push_jobs;
#[cfg(unix)]
mod trace_context;
mod work;
mod worker_log;
#[cfg(target_os = "linux")]
mod worker_output;
mod worker_signals;
