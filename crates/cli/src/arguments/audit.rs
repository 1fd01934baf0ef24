use clap::Args;
use longshore_core::{AuditId, AuditRequest, DeedAction};

use crate::arguments::value::whole_number;
use crate::arguments::word::WordParser;

/// The arguments of `audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditArguments {
    /// Only what this user or token has changed, such as ada@web-1
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,

    /// Only this action, such as retry or pause
    #[arg(long, value_name = "ACTION", value_parser = WordParser::<DeedAction>::new())]
    action: Option<DeedAction>,

    /// How many entries
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = whole_number(1, 1000))]
    limit: u32,

    /// Continue after this entry: the "next" of the page before
    #[arg(long, value_name = "ID")]
    after: Option<i64>,
}

impl AuditArguments {
    pub(crate) fn request(self) -> AuditRequest {
        let Self { actor, action, limit, after } = self;
        let action = action.map(|action| action.as_str().to_owned());
        AuditRequest { before: after.map(AuditId), actor, action, limit }
    }
}
