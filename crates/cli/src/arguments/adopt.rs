use clap::Args;

/// How to take over a job table that another program made.
#[derive(Clone, Debug, Args)]
#[command(
    long_about = "Take over a job table made by another program, beside its own migration manager\n\nLooks at the table \
        job_queue, makes a backup, gives the table the queue's shape with all its rows, and verifies the result, in one \
        transaction. The other manager's ledger says what it said before. What would lose a value or a meaning is asked \
        for (exit 7), with the choices. --undo puts the old table back as long as no job has run since.",
    after_help = "Example: longshore adopt --dry-run && longshore adopt --reason \"the queue takes over\""
)]
pub(crate) struct AdoptArguments {
    /// Show what was found and what would be done, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Put the old table back
    #[arg(long, conflicts_with_all = ["keep", "drop", "by_position", "leave_out"])]
    pub(crate) undo: bool,

    /// Keep this column, index or trigger of the application
    #[arg(long, value_name = "NAME")]
    pub(crate) keep: Vec<String>,

    /// Go on without this column, index, trigger or constraint; its definition stays in the history
    #[arg(long, value_name = "NAME")]
    pub(crate) drop: Vec<String>,

    /// Read rows with values in the wrong columns by position: they were copied into another order of the columns
    #[arg(long)]
    pub(crate) by_position: bool,

    /// Go on without rows that have values in the wrong columns; they stay in longshore_adopted_jobs
    #[arg(long, conflicts_with = "by_position")]
    pub(crate) leave_out: bool,

    /// Why, for the history
    #[arg(long, value_name = "TEXT", required_unless_present = "dry_run")]
    pub(crate) reason: Option<String>,
}
