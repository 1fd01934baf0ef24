use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use longshore_migrate::import::LAYOUTS;

use super::value::whole_number;

/// The arguments of `migrate`.
#[derive(Debug, Args)]
#[command(after_help = "Example: longshore migrate status && longshore migrate up")]
pub(crate) struct MigrateArguments {
    /// The directory of the application's own migrations [else [migrate] dir in the configuration file; default:
    /// migrations, if it exists]
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) dir: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: MigrateCommand,
}

/// The subcommands of `migrate`.
#[derive(Debug, Subcommand)]
pub(crate) enum MigrateCommand {
    /// Compare the ledger, the available migrations and the schema
    #[command(
        long_about = "Compare the ledger, the available migrations and the schema\n\nOnly reads; creates \
            nothing.",
        after_help = "Example: longshore migrate status --check"
    )]
    Status {
        /// Exit with 3 if a migration is pending, 4 if the history is broken, 5 if the schema disagrees
        #[arg(long)]
        check: bool,
    },

    /// Apply the pending migrations, in order
    #[command(
        visible_alias = "run",
        long_about = "Apply the pending migrations, in order\n\nEach migration and its ledger row are one transaction. \
            Creates the database if there is none.",
        after_help = "Example: longshore migrate up --dry-run"
    )]
    Up {
        /// Apply only this migration, SOURCE:NUMBER, even if later ones are applied; skips its objects that exist
        /// already
        #[arg(long, value_name = "ID", conflicts_with_all = ["to", "steps"])]
        only: Option<String>,

        #[command(flatten)]
        run: RunArguments,
    },

    /// Roll back migrations, newest first [default: one]
    #[command(
        visible_alias = "rollback",
        long_about = "Roll back migrations, newest first [default: one]\n\n--to names the newest migration to keep. \
            Makes a \
            backup first. If a down does not undo its up completely, it is rolled back.",
        after_help = "Example: longshore migrate down --steps 2 --dry-run"
    )]
    Down {
        #[command(flatten)]
        run: RunArguments,

        /// Make no backup first
        #[arg(long)]
        no_backup: bool,
    },

    /// Roll back the newest migration and apply it again
    #[command(after_help = "Example: longshore migrate redo")]
    Redo {
        #[command(flatten)]
        care: CareArguments,

        /// Make no backup first
        #[arg(long)]
        no_backup: bool,
    },

    /// Compare the real schema with what the ledger records
    #[command(
        long_about = "Compare the real schema with what the ledger records\n\nExits with 0 if they agree. Exits with \
            5 if not, \
            and prints every difference and its migration. Exits with 4 if the history is broken.",
        after_help = "Example: longshore migrate verify --json"
    )]
    Verify,

    /// Plan how to make ledger, files and schema agree again
    #[command(
        long_about = "Plan how to make ledger, files and schema agree again\n\nDestructive steps are never in the \
            plan. --apply makes a backup first, verifies the result, and undoes everything if that fails.",
        after_help = "Example: longshore migrate repair --apply --reason \"restored from a backup\""
    )]
    Repair {
        /// Run the plan
        #[arg(long, requires = "reason")]
        apply: bool,

        /// The reason, kept in the history
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },

    /// Record a migration as applied, without running it
    #[command(after_help = "Example: longshore migrate mark-applied longshore:1 --reason \"the table is there\"")]
    MarkApplied(MarkArguments),

    /// Record a migration as rolled back, without running it
    #[command(after_help = "Example: longshore migrate mark-rolled-back app:7 --reason \"undone by hand\"")]
    MarkRolledBack(MarkArguments),

    /// Adopt a database that was made by hand
    #[command(
        long_about = "Adopt a database that was made by hand\n\nChecks every migration up to ID against the schema \
            and records \
            it as applied.",
        after_help = "Example: longshore migrate baseline app:12 --reason \"made by hand before\""
    )]
    Baseline {
        /// The last migration that the database already has
        #[arg(value_name = "ID")]
        id: String,

        /// The reason, kept in the history
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

    /// Create the next pair of empty migration files
    #[command(after_help = "Example: longshore migrate new add_users")]
    New {
        /// A short name for what the migration does
        #[arg(value_name = "NAME")]
        name: String,
    },

    /// Convert another tool's migration files into a new directory
    #[command(
        long_about = "Convert another tool's migration files into a new directory\n\n--dir is the other tool's directory; \
            it is not changed. Keeps the order and the transaction settings, never overwrites a file and never changes \
            a database. If the migrations are already applied, run baseline afterwards.",
        after_help = "Example: longshore migrate import --dir db/migrations --dry-run"
    )]
    Import {
        /// The other tool's format [default: detected, if the files are unambiguous]
        #[arg(long, value_name = "FORMAT", value_parser = formats())]
        from: Option<String>,

        /// The new directory [default: DIR-longshore]
        #[arg(long, value_name = "NEW_DIR")]
        to: Option<PathBuf>,

        /// Print what would be written, but write nothing
        #[arg(long)]
        dry_run: bool,
    },

    /// Check the migration files without changing a database; those for PostgreSQL are tried on its server
    #[command(after_help = "Example: longshore migrate lint --dir migrations")]
    Lint,

    /// Print the schema as SQL in a stable order
    #[command(
        after_help = "Example: longshore migrate dump > schema.sql\n         longshore migrate dump --check schema.sql"
    )]
    Dump {
        /// Compare with this file instead of printing (exit 5 if they differ); changes nothing
        #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "schema.sql")]
        check: Option<PathBuf>,
    },
}

fn formats() -> PossibleValuesParser {
    PossibleValuesParser::new(LAYOUTS.iter().map(|layout| layout.word))
}

/// How many migrations to run, and with which checks.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunArguments {
    /// End with this migration, SOURCE:NUMBER; other sources are not touched
    #[arg(long, value_name = "ID", conflicts_with = "steps")]
    pub(crate) to: Option<String>,

    /// Run at most this many migrations
    #[arg(long, value_name = "N", value_parser = whole_number(1, u32::MAX), allow_negative_numbers = true)]
    pub(crate) steps: Option<u32>,

    #[command(flatten)]
    pub(crate) care: CareArguments,
}

/// Safety options of a run.
#[derive(Clone, Debug, Args)]
pub(crate) struct CareArguments {
    /// Print the exact SQL and the transaction bounds, but run nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Continue even if data would be lost that the file does not declare (-- longshore: loses TABLE)
    #[arg(long)]
    pub(crate) allow_data_loss: bool,
}

/// The migration to mark, and the reason.
#[derive(Clone, Debug, Args)]
pub(crate) struct MarkArguments {
    /// The migration, SOURCE:NUMBER
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// The reason, kept in the history
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,

    /// Mark it even if the schema does not confirm it; status shows it as unverified
    #[arg(long)]
    pub(crate) unverified: bool,
}
