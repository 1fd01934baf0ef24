use clap::Subcommand;
use longshore_core::InvalidJob;
use longshore_web::Scope;

/// The subcommands of `token`.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token, and print it once; only its hash is stored
    #[command(
        long_about = "Make a token, and print it once; only its hash is stored\n\nCreates the database if there is none.",
        after_help = "Example: longshore token add deploy --scope enqueue --scope read"
    )]
    Add {
        /// The name of the token
        #[arg(value_name = "NAME", value_parser = token_name)]
        name: String,

        /// What it permits: read, enqueue, work, operate (includes read) or admin (everything); may be repeated
        #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',')]
        scopes: Vec<Scope>,

        /// Only this queue is seen and used, default: all; may be repeated
        #[arg(long = "queue", value_name = "NAME", value_parser = queue_name)]
        queues: Vec<String>,
    },

    /// List the tokens with their scopes
    #[command(after_help = "Example: longshore token list --json")]
    List,

    /// Revoke a token: the next request with it is refused, and its log-ins end
    #[command(after_help = "Example: longshore token revoke deploy")]
    Revoke {
        /// The name of the token
        #[arg(value_name = "NAME")]
        name: String,
    },
}

fn queue_name(text: &str) -> Result<String, InvalidJob> {
    InvalidJob::check_queue(text).map(|()| text.to_owned())
}

const NAME_BYTES_MAX: usize = 100;

fn token_name(text: &str) -> Result<String, String> {
    let is_valid = !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control);
    if is_valid {
        Ok(text.to_owned())
    } else {
        Err(format!("expected 1 to {NAME_BYTES_MAX} bytes without control characters"))
    }
}
