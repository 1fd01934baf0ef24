use clap::Args;
use longshore_core::{AuditId, AuditRequest};

/// The arguments of `audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditArguments {
    /// Only what this user or token has changed, such as ada@web-1
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,

    /// Only this action, such as retry or pause
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,

    /// How many entries
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,

    /// Continue after this entry: the "next" of the page before
    #[arg(long, value_name = "ID")]
    after: Option<i64>,
}

impl AuditArguments {
    pub(crate) fn request(self) -> AuditRequest {
        let Self { actor, action, limit, after } = self;
        AuditRequest { before: after.map(AuditId), actor, action, limit }
    }
}
