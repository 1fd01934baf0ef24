use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{LimitRule, LimitSubject, TypeSettings};
use tokio::task::JoinSet;

use crate::handler::failure_classes::FailureClasses;
use crate::middleware::MiddlewareChain;
use crate::runtime::panic_capture::{self, caught};
use crate::runtime::quiet;
use crate::{Handler, HandlerPolicy, Middleware};

/// Which handler runs which job type, and with which rules.
#[derive(Default)]
pub(crate) struct Registry {
    entries: HashMap<String, Arc<Entry>>,
    /// The middlewares around every attempt, the outermost first.
    middlewares: Arc<[Arc<dyn Middleware>]>,
    /// The failure types of the application's errors.
    pub(crate) classes: FailureClasses,
    /// A type that was given two handlers.
    doubled: Option<String>,
    /// The first type that was given a policy but had no handler.
    unhandled_policy: Option<String>,
    /// The panic message of a handler's policy.
    panicked: Option<String>,
}

pub(crate) struct Entry {
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) policy: HandlerPolicy,
}

impl Registry {
    pub(crate) fn add(&mut self, job_type: String, handler: Arc<dyn Handler>) {
        let policy = match panic_capture::catch(|| handler.policy()) {
            Ok(policy) => policy.bounded(),
            Err(panicked) => {
                self.panicked = Some(panicked.message);
                HandlerPolicy::default()
            }
        };
        if self.entries.insert(job_type.clone(), Arc::new(Entry { handler, policy })).is_some() {
            self.doubled = Some(job_type);
        }
    }

    pub(crate) fn add_middleware(&mut self, middleware: Arc<dyn Middleware>) {
        let others = self.middlewares.iter().cloned();
        self.middlewares = others.chain([middleware]).collect();
    }

    /// The middlewares of one attempt. `None`, without an allocation, if there are no middlewares.
    pub(crate) fn chain(&self) -> Option<Arc<MiddlewareChain>> {
        (!self.middlewares.is_empty()).then(|| Arc::new(MiddlewareChain::new(&self.middlewares)))
    }

    /// Changes the rules of a type. A type without a handler has no rules.
    pub(crate) fn change_policy(&mut self, job_type: &str, change: impl FnOnce(HandlerPolicy) -> HandlerPolicy) {
        let Some(entry) = self.entries.get_mut(job_type) else {
            self.unhandled_policy.get_or_insert_with(|| job_type.to_owned());
            return;
        };
        let (handler, policy) = (entry.handler.clone(), change(entry.policy.clone()).bounded());
        *entry = Arc::new(Entry { handler, policy });
    }

    pub(crate) fn get(&self, job_type: &str) -> Option<&Arc<Entry>> {
        self.entries.get(job_type)
    }

    pub(crate) fn doubled(&self) -> Option<&str> {
        self.doubled.as_deref()
    }

    pub(crate) fn unhandled_policy(&self) -> Option<&str> {
        self.unhandled_policy.as_deref()
    }

    pub(crate) fn panicked(&self) -> Option<&str> {
        self.panicked.as_deref()
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().map(Arc::as_ref)
    }

    /// What jobs of each type get if they do not say otherwise, in the order of the types.
    pub(crate) fn settings(&self) -> Arc<[TypeSettings]> {
        let mut settings: Vec<TypeSettings> =
            self.entries.iter().map(|(job_type, entry)| entry.policy.settings_of(job_type)).collect();
        settings.sort_unstable_by(|a, b| a.job_type.cmp(&b.job_type));
        settings.into()
    }

    /// The limits of the types whose policies have one.
    pub(crate) fn limits(&self) -> impl Iterator<Item = (LimitSubject, Option<LimitRule>)> {
        let limit = |(job_type, entry): (&String, &Arc<Entry>)| {
            Some((LimitSubject::Type(job_type.clone()), Some(entry.policy.limit.clone()?)))
        };
        self.entries.iter().filter_map(limit)
    }

    /// Ends what the handlers keep between attempts, all at the same time. A panic of one is reported and does not
    /// affect the others.
    pub(crate) async fn end(&self, grace: Duration) {
        let mut ends = JoinSet::new();
        for entry in self.entries.values() {
            let (handler, own) = (Arc::clone(&entry.handler), entry.policy.grace);
            let grace = own.map_or(grace, |own| own.min(grace));
            ends.spawn(async move { caught(async { handler.end(grace).await }).await });
        }
        while let Some(ended) = ends.join_next().await {
            if let Ok(Err(panicked)) = ended {
                quiet::error!(panic = panicked.message, "a handler panicked when it was ended");
            }
        }
    }

    /// The types whose handlers are open, in order. The same list as long as all of them are.
    pub(crate) fn open_types(&self, all: &Arc<[String]>) -> Arc<[String]> {
        let is_open = |job_type: &String| self.get(job_type).is_none_or(|entry| entry.handler.is_open());
        if all.iter().all(is_open) {
            return Arc::clone(all);
        }
        all.iter().filter(|job_type| is_open(job_type)).cloned().collect()
    }

    /// The types, in order.
    pub(crate) fn job_types(&self) -> Arc<[String]> {
        let mut types: Vec<String> = self.entries.keys().cloned().collect();
        types.sort_unstable();
        types.into()
    }
}
