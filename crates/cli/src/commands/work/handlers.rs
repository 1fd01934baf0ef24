use std::sync::Arc;

use longshore::Handler;
use longshore::command::{CommandHandler, CommandSpec, SupervisorProgram};
use longshore::declared::{DeclaredJob, DeclaredKind};
use longshore::program::{ProgramHandler, ProgramSpec};
use longshore::push::{PushHandler, PushSpec, SigningSecret};

use crate::context::Context;
use crate::error_report::command_error::CommandError;
use crate::settings::config::Config;

/// A handler for each declared job type that this program works on. Of others only the limits are declared.
pub(super) fn all(context: &Context, config: &Config) -> anyhow::Result<Vec<(String, Arc<dyn Handler>)>> {
    let supervisor = SupervisorProgram::this_program()?;
    let variables = context.variables_for_commands()?;
    let with_variables = |spec: &CommandSpec| {
        let mut spec = spec.clone();
        for (name, value) in &variables {
            spec.env.entry(name.clone()).or_insert_with(|| value.clone());
        }
        spec
    };
    let handler = |job_type: &str, declared: &DeclaredJob| -> anyhow::Result<Arc<dyn Handler>> {
        match declared.kind() {
            DeclaredKind::Run(spec) => Ok(Arc::new(CommandHandler::new(with_variables(spec), supervisor.clone())?)),
            DeclaredKind::Serve(spec) => {
                let spec = ProgramSpec { command: with_variables(&spec.command), ..spec.clone() };
                Ok(Arc::new(ProgramHandler::new(spec, supervisor.clone())?))
            }
            DeclaredKind::Post { spec, secret_env } => {
                Ok(Arc::new(push(context, config, job_type, spec.clone(), secret_env.as_deref())?))
            }
            _ => anyhow::bail!("this version does not know how to run jobs of {job_type}"),
        }
    };
    let each = config.own();
    each.map(|(job_type, declared)| Ok((job_type.clone(), handler(job_type, declared.get_ref())?))).collect()
}

/// A push handler with its secrets, which are read now, so that a missing one is noticed before a job runs.
fn push(
    context: &Context,
    config: &Config,
    job_type: &str,
    mut spec: PushSpec,
    secret_env: Option<&str>,
) -> anyhow::Result<PushHandler> {
    let refused = |key: &str, problem: String| {
        let line = config.line_of(job_type, key);
        CommandError::JobSetting { path: context.config_path().unwrap_or_default(), line, problem }
    };
    if let Some(name) = secret_env {
        let text = context.variable(name)?.ok_or_else(|| {
            refused("secret_env", format!("the variable {name}, which \"secret_env\" of {job_type} names, is not set"))
        })?;
        spec.secrets = SigningSecret::parse_all(&text)
            .map_err(|error| refused("secret_env", format!("{name} cannot be used: {error}")))?;
    }
    Ok(PushHandler::new(spec).map_err(|error| refused("ca_file", error.to_string().replace('`', "\"")))?)
}
