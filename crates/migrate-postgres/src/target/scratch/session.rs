use longshore_migrate::{
    files::script::{Dialect, Statement},
    schema::Schema,
    target::{Definition, Progress, Rebuild, SchemaChanges, Session, StatementError, TargetError, Value},
};

use super::Scratch;
use crate::{
    catalog::{Reach, queries},
    target::{
        hide_path, no_rebuild,
        rewrite::{Form, dropped_schemas, made_schema, on_scratch},
        show_path,
        transaction::sets,
        unreadable, values,
    },
};

impl Scratch {
    fn read(&mut self) -> Result<(), TargetError> {
        let reach = std::mem::take(&mut self.reach);
        if reach == Reach::default() {
            return Ok(());
        }
        let bases = self.reader.to_read(&reach);
        let mut asked = vec![hide_path()];
        asked.extend(queries(&self.names.schemas(), bases.as_ref()));
        asked.push(show_path());
        let answers = self.wire.queries(asked).map_err(|fault| unreadable(&self.failures, fault))?;
        self.reader.take(&self.names, bases.as_ref(), &answers[1..answers.len() - 1]);
        Ok(())
    }
}

impl Session for Scratch {
    fn execute(&mut self, statement: &str) -> Result<u64, TargetError> {
        let made = made_schema(statement);
        if let Some(schema) = &made {
            // With its own name it would be the real one.
            let is_there = self.names.in_database(schema).is_some();
            let says_so = Dialect::Postgres.words(statement).get(2).is_some_and(|word| word.is("if"));
            if is_there && !says_so {
                let message = format!("schema \"{schema}\" already exists");
                let statement = Statement::alone(Dialect::Postgres, statement).in_short();
                let source = Box::new(StatementError { message, line: 0 });
                return Err(TargetError::Statement { statement, source });
            }
            self.stand_in(schema)?;
            return Ok(0);
        }
        self.may_defer |= statement.to_ascii_lowercase().contains("deferr");
        self.stand_in_for_target(statement)?;
        self.reach.extend(Reach::of(statement));
        self.has_settings |= sets(statement);
        let form = on_scratch(statement, &self.names);
        let done = self.run_form(form, statement)?;
        for schema in dropped_schemas(statement) {
            self.names.remove(&schema);
        }
        self.refuse_real_tables(statement)?;
        Ok(done)
    }

    fn query(&mut self, statement: &str) -> Result<Vec<Vec<Value>>, TargetError> {
        self.reach.extend(Reach::of(statement));
        let Form::Run(sql) = on_scratch(statement, &self.names) else { return Ok(Vec::new()) };
        let asked = values::rows(&self.wire, &sql);
        match asked {
            Ok(rows) => {
                self.journal.push(sql);
                Ok(rows)
            }
            Err(fault) if self.makes_values_usable(&fault) => self.query(statement),
            Err(fault) => {
                let error = self.told(&sql, fault);
                self.again()?;
                Err(error)
            }
        }
    }

    fn rebuild(&mut self, _rebuild: &Rebuild) -> Result<u64, TargetError> {
        Err(no_rebuild(&self.failures.database))
    }

    fn observe(&mut self) -> Result<Schema, TargetError> {
        self.read()?;
        Ok(self.reader.schema())
    }

    fn changes(&mut self) -> Result<SchemaChanges, TargetError> {
        self.check_constraints()?;
        self.reset_settings()?;
        self.read()?;
        self.would_commit();
        Ok(self.reader.changes())
    }

    fn commits_each_statement(&mut self, each: bool) {
        if self.commits_each && !each {
            self.would_commit();
        }
        self.commits_each = each;
    }

    fn definitions(&mut self) -> Result<Vec<Definition>, TargetError> {
        self.read()?;
        Ok(self.reader.definitions())
    }

    fn report(&mut self, _progress: &Progress) {}
}
