use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Where the migrations are, and what to do with them.
#[derive(Debug, Args)]
#[command(
    long_about = "Create and change the schema, and mend its history\n\nThere are two sources: longshore, built into \
        the binary (the queue's own tables), and app, your own directory of NUMBER_name.up.sql and .down.sql. A \
        migration is named SOURCE:NUMBER, or NUMBER alone where only one source has it.",
    after_help = "Example: longshore migrate status && longshore migrate up"
)]
pub(crate) struct MigrateArguments {
    /// The application's own migrations [else [migrate] dir in the configuration; default: migrations where there is one]
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) dir: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: MigrateCommand,
}

/// What can be done with migrations.
#[derive(Debug, Subcommand)]
pub(crate) enum MigrateCommand {
    /// Show the ledger beside what is available and what the schema shows
    #[command(
        long_about = "Show the ledger beside what is available and what the schema shows\n\nReads only and creates \
            nothing.",
        after_help = "Example: longshore migrate status --check"
    )]
    Status {
        /// Exit 3 when a migration is pending, 4 when the history is broken, 5 when the schema disagrees
        #[arg(long)]
        check: bool,
    },

    /// Apply what is pending, in order
    #[command(
        visible_alias = "run",
        long_about = "Apply what is pending, in order\n\nEach migration and its ledger row are one transaction. \
            Creates the database where there is none.",
        after_help = "Example: longshore migrate up --dry-run"
    )]
    Up(RunArguments),

    /// Roll back, newest first, one migration unless told
    #[command(
        visible_alias = "rollback",
        long_about = "Roll back, newest first, one migration unless told\n\n--to names the migration that stays. A \
            backup is made first; a down that does not undo its up is not kept.",
        after_help = "Example: longshore migrate down --steps 2 --dry-run"
    )]
    Down(RunArguments),

    /// Roll the newest migration back and apply it again in one run
    #[command(after_help = "Example: longshore migrate redo")]
    Redo(CareArguments),

    /// Compare the real schema with what the ledger records
    #[command(
        long_about = "Compare the real schema with what the ledger records\n\nExit 0 when they agree, 5 with every \
            difference and the migration that it belongs to, 4 when the history is broken.",
        after_help = "Example: longshore migrate verify --json"
    )]
    Verify,

    /// Plan how ledger, files and schema come to agree again
    #[command(
        long_about = "Plan how ledger, files and schema come to agree again\n\nDestructive steps are never in the \
            plan. --apply makes a backup first, verifies at the end, and undoes everything if that fails.",
        after_help = "Example: longshore migrate repair --apply --reason \"restored from a backup\""
    )]
    Repair {
        /// Carry the plan out
        #[arg(long, requires = "reason")]
        apply: bool,

        /// Why, for the history
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },

    /// Say that a migration is applied, without running it
    #[command(after_help = "Example: longshore migrate mark-applied longshore:1 --reason \"the table is there\"")]
    MarkApplied(MarkArguments),

    /// Say that a migration is not applied, without running it
    #[command(after_help = "Example: longshore migrate mark-rolled-back app:7 --reason \"undone by hand\"")]
    MarkRolledBack(MarkArguments),

    /// Adopt a database that was made by hand
    #[command(
        long_about = "Adopt a database that was made by hand\n\nEvery migration up to ID is marked as applied, each \
            checked against the schema.",
        after_help = "Example: longshore migrate baseline app:12 --reason \"made by hand before\""
    )]
    Baseline {
        /// The last migration that the database already has
        #[arg(value_name = "ID")]
        id: String,

        /// Why, for the history
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },

    /// Show every event of the ledger
    #[command(after_help = "Example: longshore migrate history longshore:1")]
    History {
        /// Only this migration
        #[arg(value_name = "ID")]
        id: Option<String>,
    },

    /// Write the next empty pair of files
    #[command(after_help = "Example: longshore migrate new add_users")]
    New {
        /// What the migration does, in a few words
        #[arg(value_name = "NAME")]
        name: String,
    },

    /// Look through the files without a database
    #[command(after_help = "Example: longshore migrate lint --dir migrations")]
    Lint,

    /// Print the schema as SQL in a stable order
    #[command(
        after_help = "Example: longshore migrate dump > schema.sql\n         longshore migrate dump --check schema.sql"
    )]
    Dump {
        /// Compare with this file instead (exit 5 when they differ), and change nothing
        #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "schema.sql")]
        check: Option<PathBuf>,
    },
}

/// How far to go, and whether to go at all.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunArguments {
    /// Go up to this migration or back to it, SOURCE:NUMBER
    #[arg(long, value_name = "ID", conflicts_with = "steps")]
    pub(crate) to: Option<String>,

    /// Make at most this many steps
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), allow_negative_numbers = true)]
    pub(crate) steps: Option<u32>,

    #[command(flatten)]
    pub(crate) care: CareArguments,
}

/// How careful to be.
#[derive(Clone, Debug, Args)]
pub(crate) struct CareArguments {
    /// Print the exact SQL and the bounds of the transactions, and run nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Go on although data would be lost that the file does not declare (-- longshore: loses TABLE)
    #[arg(long)]
    pub(crate) allow_data_loss: bool,
}

/// Which migration, and why.
#[derive(Clone, Debug, Args)]
pub(crate) struct MarkArguments {
    /// The migration, SOURCE:NUMBER
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,

    /// Mark it although the schema does not show it; status goes on saying so
    #[arg(long)]
    pub(crate) unverified: bool,
}
