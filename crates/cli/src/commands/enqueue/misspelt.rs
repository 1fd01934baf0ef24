use std::collections::BTreeSet;

use longshore_core::JobId;

use crate::context::Context;
use crate::database::Database;
use crate::output::names::some_of;
use crate::output::quoted::{argument, flag_with_name, shell_word};
use crate::settings::config::Config;
use crate::suggestion::closest;

/// How many unknown types of a batch are kept.
const TYPES_MAX: usize = 100;

/// The types of enqueued jobs that the configuration does not declare.
#[derive(Debug, Default)]
pub(super) struct UnknownTypes(BTreeSet<String>);

impl UnknownTypes {
    /// Notes the type of a job. If the configuration declares no type at all, programs handle them, and nothing is
    /// unknown.
    pub(super) fn note(&mut self, config: &Config, job_type: &str) {
        let is_unknown = !config.jobs.is_empty() && !config.jobs.contains_key(job_type);
        if is_unknown && self.0.len() < TYPES_MAX && !self.0.contains(job_type) {
            self.0.insert(job_type.to_owned());
        }
    }

    /// Warns about those that are like a declared one. The jobs were made all the same, because a program that the
    /// configuration does not know may handle them; if a worker has named the type, it is not misspelt.
    pub(super) async fn warn(&self, context: &Context, database: &Database, config: &Config, id: Option<JobId>) {
        for (job_type, meant) in self.misspelt(database, config).await {
            let fix = match id {
                Some(id) => format!("longshore jobs edit {id} {}", flag_with_name("--type", &meant)),
                None => format!("longshore jobs list {}", flag_with_name("--type", job_type)),
            };
            context.output.note(format!(
                "warning: the configuration does not declare the type {}; did you mean {}? ({fix})",
                shell_word(job_type),
                shell_word(&meant)
            ));
        }
    }

    /// Those that are like a declared one, with that one.
    async fn misspelt(&self, database: &Database, config: &Config) -> Vec<(&String, String)> {
        let meant = |job_type: &String| closest(job_type, config.jobs.keys().map(String::as_str)).map(str::to_owned);
        let misspelt: Vec<(&String, String)> =
            self.0.iter().filter_map(|job_type| Some((job_type, meant(job_type)?))).collect();
        if misspelt.is_empty() {
            return misspelt;
        }
        // What was asked for is done, so an error here is none of its.
        let known = database.health().await.map(|health| health.known_job_types).unwrap_or_default();
        misspelt.into_iter().filter(|(job_type, _)| !known.contains(job_type)).collect()
    }
}

/// A sentence for each type of the jobs of schedules that is like a declared one. Schedules are given by their name and
/// the type of their jobs.
pub(in crate::commands) async fn misspelt_of_schedules(
    database: &Database,
    config: &Config,
    schedules: &[(&str, &str)],
) -> Vec<String> {
    let mut types = UnknownTypes::default();
    for (_, job_type) in schedules {
        types.note(config, job_type);
    }
    let mut sentences = Vec::new();
    for (job_type, meant) in types.misspelt(database, config).await {
        let named = schedules.iter().filter(|(_, of)| *of == job_type.as_str()).map(|(name, _)| *name);
        sentences.push(format!(
            "the configuration does not declare the type {} of the jobs of schedule {}; did you mean {}?",
            shell_word(job_type),
            some_of(named).unwrap_or_default(),
            shell_word(&meant)
        ));
    }
    sentences
}

/// Warns about a queue that has only the new job, if it is like another queue.
pub(super) async fn warn_of_queue(context: &Context, database: &Database, config: &Config, queue: &str, id: JobId) {
    let declared: BTreeSet<String> = config.jobs.keys().map(|job_type| config.new_job(job_type).queue).collect();
    let Ok(stats) = database.stats(0).await else { return };
    let is_used = |stats: &longshore_core::QueueStats| stats.queue == queue && stats.jobs.values().sum::<u64>() > 1;
    if declared.contains(queue) || stats.queues.iter().any(is_used) {
        return;
    }
    let others = stats.queues.iter().map(|stats| stats.queue.as_str()).filter(|other| *other != queue);
    if let Some(meant) = closest(queue, others.chain(declared.iter().map(String::as_str))) {
        let meant = shell_word(meant);
        context.output.note(format!(
            "warning: no job has been in queue {} before; did you mean {meant}? (longshore jobs edit {id} --queue {meant})",
            argument(queue)
        ));
    }
}
