use std::collections::BTreeMap;
use std::sync::Arc;

use longshore_core::{AppliedLimits, ApplyLimits, ChangeLimit, InvalidLimit, LimitRule, LimitSubject, StoreError};
use postgres_types::Type;
use tokio_postgres::Error;

use super::rules::{QUEUE, TYPE, read_rule};
use crate::jobs::claim::hints::Changes;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::repeated::repeated;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;

/// The two rules of a subject, as their row has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Stored {
    configured: Option<String>,
    manual: Option<String>,
}

/// The rules that a change has decided.
type Decided = BTreeMap<LimitSubject, Stored>;

/// Makes the rules of a program the configured ones. Only reads if nothing differs.
pub(super) async fn apply(parts: Arc<Parts>, apply: ApplyLimits) -> Result<AppliedLimits, Fault> {
    let mut wanted = BTreeMap::new();
    for (subject, rule) in apply.rules {
        check(&subject, rule.as_ref())?;
        wanted.insert(subject, rule.filter(|rule| !rule.is_empty()).map(|rule| rule.to_document()));
    }
    let subjects: Vec<&LimitSubject> = wanted.keys().collect();
    let stored = {
        let session = parts.pool.session().await?;
        read(&session, &subjects).await?
    };
    let is_changed =
        |subject: &LimitSubject, of: &BTreeMap<LimitSubject, Stored>| configured(of, subject) != wanted[subject];
    let mut applied = AppliedLimits::default();
    for subject in wanted.keys() {
        let manual = stored.get(subject).and_then(|stored| stored.manual.as_ref());
        if manual.is_some_and(|manual| Some(manual) != wanted[subject].as_ref()) {
            applied.overridden.push(subject.clone());
        }
        if is_changed(subject, &stored) {
            applied.changed.push(subject.clone());
        }
    }
    if applied.changed.is_empty() {
        return Ok(applied);
    }
    repeated(async || {
        let transaction = begin(&parts).await?;
        let before = read(&transaction, &subjects).await?;
        let mut decided = Decided::new();
        for subject in wanted.keys().filter(|subject| is_changed(subject, &before)) {
            let stored = before.get(subject).cloned().unwrap_or_default();
            decided.insert(subject.clone(), Stored { configured: wanted[subject].clone(), ..stored });
        }
        write(&parts, transaction, &before, &decided).await
    })
    .await?;
    Ok(applied)
}

/// Sets or unsets a rule by hand. Returns whether anything has changed.
pub(super) async fn change(parts: Arc<Parts>, change: ChangeLimit) -> Result<bool, Fault> {
    let ChangeLimit { subject, rule } = change;
    check(&subject, rule.as_ref())?;
    if rule.as_ref().is_some_and(LimitRule::is_empty) {
        return Err(StoreError::from(InvalidLimit::Nothing { subject }).into());
    }
    let manual = rule.as_ref().map(LimitRule::to_document);
    repeated(async || {
        let transaction = begin(&parts).await?;
        let before = read(&transaction, &[&subject]).await?;
        let stored = before.get(&subject).cloned().unwrap_or_default();
        let after = match (&manual, &stored.manual) {
            (Some(_), _) => Stored { manual: manual.clone(), ..stored.clone() },
            (None, Some(_)) => Stored { manual: None, ..stored.clone() },
            (None, None) => Stored::default(),
        };
        if after == stored {
            return Ok(false);
        }
        write(&parts, transaction, &before, &[(subject.clone(), after)].into()).await?;
        Ok(true)
    })
    .await
}

fn check(subject: &LimitSubject, rule: Option<&LimitRule>) -> Result<(), Fault> {
    let check = rule.unwrap_or(&LimitRule::default()).check(subject);
    Ok(check.map_err(StoreError::from)?)
}

fn configured(of: &BTreeMap<LimitSubject, Stored>, subject: &LimitSubject) -> Option<String> {
    of.get(subject).and_then(|stored| stored.configured.clone())
}

const fn scope(subject: &LimitSubject) -> i16 {
    match subject {
        LimitSubject::Queue(_) => QUEUE,
        LimitSubject::Type(_) => TYPE,
    }
}

async fn read(session: &Session, subjects: &[&LimitSubject]) -> Result<BTreeMap<LimitSubject, Stored>, Error> {
    let scopes: Vec<i16> = subjects.iter().map(|subject| scope(subject)).collect();
    let names: Vec<&str> = subjects.iter().map(|subject| subject.name()).collect();
    let parameters: [Parameter<'_>; 2] = [(&scopes, Type::INT2_ARRAY), (&names, Type::TEXT_ARRAY)];
    let mut stored = BTreeMap::new();
    for row in session.query(sql!("limiting/select_stored"), &parameters).await? {
        let columns = &mut Columns::of(&row);
        let (scope, name): (i16, String) = (columns.read()?, columns.read()?);
        let subject = if scope == QUEUE { LimitSubject::Queue(name) } else { LimitSubject::Type(name) };
        stored.insert(subject, Stored { configured: columns.read()?, manual: columns.read()? });
    }
    Ok(stored)
}

/// Begins a change of rules. From here to its commit nobody claims.
async fn begin(parts: &Parts) -> Result<Transaction, Fault> {
    let transaction = parts.pool.begin().await?;
    transaction.execute(sql!("limiting/raise_version"), &[]).await?;
    transaction.execute(sql!("limiting/lock_running"), &[]).await?;
    Ok(transaction)
}

/// Writes rules, and what they mean for running jobs and for lanes. Waiting jobs are sorted later, by claims.
async fn write(
    parts: &Parts,
    transaction: Transaction,
    before: &BTreeMap<LimitSubject, Stored>,
    decided: &Decided,
) -> Result<(), Fault> {
    let scopes: Vec<i16> = decided.keys().map(scope).collect();
    let names: Vec<&str> = decided.keys().map(LimitSubject::name).collect();
    let configured: Vec<Option<&str>> = decided.values().map(|stored| stored.configured.as_deref()).collect();
    let manual: Vec<Option<&str>> = decided.values().map(|stored| stored.manual.as_deref()).collect();
    let parameters: [Parameter<'_>; 4] = [
        (&scopes, Type::INT2_ARRAY),
        (&names, Type::TEXT_ARRAY),
        (&configured, Type::TEXT_ARRAY),
        (&manual, Type::TEXT_ARRAY),
    ];
    transaction.execute(sql!("limiting/upsert_rules"), &parameters).await?;
    let with_rule = |wanted: i16| -> Vec<&str> {
        let of_scope = decided.iter().filter(|(subject, stored)| scope(subject) == wanted && stored.rule().is_some());
        of_scope.map(|(subject, _)| subject.name()).collect()
    };
    let (types, queues) = (with_rule(TYPE), with_rule(QUEUE));
    let parameters: [Parameter<'_>; 2] = [(&types, Type::TEXT_ARRAY), (&queues, Type::TEXT_ARRAY)];
    transaction.execute(sql!("limiting/count_running"), &parameters).await?;
    for (subject, stored) in decided {
        let LimitSubject::Type(name) = subject else { continue };
        transaction.execute(sql!("limiting/open_lanes"), &[(name, Type::TEXT)]).await?;
        let pointer = stored.pointer(name);
        if pointer != before.get(subject).and_then(|before| before.pointer(name)) {
            let parameters: [Parameter<'_>; 2] = [(name, Type::TEXT), (&pointer, Type::TEXT)];
            transaction.execute(sql!("limiting/key_running"), &parameters).await?;
            transaction.query(sql!("limiting/lock_sorting"), &parameters[..1]).await?;
            let names = [name.as_str()];
            transaction.execute(sql!("limiting/retire_lanes"), &[(&&names[..], Type::TEXT_ARRAY)]).await?;
        }
    }
    transaction.execute(sql!("limiting/delete_unused_rules"), &[]).await?;
    transaction.commit().await?;
    // More may start than before, in whatever queue.
    parts.claims.hints.give(Changes::unknown());
    Ok(())
}

impl Stored {
    /// The rule that holds.
    fn rule(&self) -> Option<&String> {
        self.manual.as_ref().or(self.configured.as_ref())
    }

    fn pointer(&self, name: &str) -> Option<String> {
        let rule = read_rule(name, self.rule()?);
        rule.key.map(|pointer| pointer.as_str().to_owned())
    }
}
