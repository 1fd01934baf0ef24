use std::collections::HashMap;

use longshore_core::{
    ChangeLimit, LimitPage, LimitPosition, LimitRow, LimitRule, LimitScope, LimitSelection, LimitSubject,
    LimitsRequest, StoreError,
};

use super::Shown;
use crate::error::ApiError;

/// A key has at most 200 bytes, so this text comes behind every one.
const BEYOND_KEYS: usize = 200 / '\u{10ffff}'.len_utf8() + 1;

impl Shown {
    /// A page of limits. The keys of a type are left out where the field of the key is hidden.
    pub(crate) async fn limit_page(&self, request: LimitsRequest) -> Result<LimitPage, StoreError> {
        let mut page = self.store().limit_page(request).await?;
        if self.visible.is_some() {
            // Types and keys count the jobs of all queues. Queues come first.
            page.limits.retain(|row| row.scope == LimitScope::Queue && self.sees(&row.name));
            page.next = page.next.filter(|next| next.scope == LimitScope::Queue);
            return Ok(page);
        }
        if self.redaction.is_empty() {
            return Ok(page);
        }
        page.limits.iter_mut().for_each(|row| self.redaction.hide_in_limit(row));
        let hidden = self.types_with_hidden_keys(&page).await?;
        let is_hidden = |scope, name: &str| scope == LimitScope::Key && hidden.get(name) == Some(&true);
        page.limits.retain(|row| !is_hidden(row.scope, &row.name));
        // The next page begins behind all keys of the type, and its cursor tells none of them.
        if let Some(next) = page.next.as_mut().filter(|next| is_hidden(next.scope, &next.name)) {
            next.key = Some("\u{10ffff}".repeat(BEYOND_KEYS));
        }
        Ok(page)
    }

    /// For each type whose keys are on the page, whether they are hidden.
    async fn types_with_hidden_keys(&self, page: &LimitPage) -> Result<HashMap<String, bool>, StoreError> {
        let mut hidden = HashMap::new();
        let next = page.next.iter().map(|LimitPosition { scope, name, .. }| (*scope, name));
        let rows = page.limits.iter().map(|row| (row.scope, &row.name));
        for (scope, name) in rows.chain(next) {
            if scope == LimitScope::Key && !hidden.contains_key(name) {
                let selection = LimitSelection::Of(LimitSubject::Type(name.clone()));
                let of_type = self.store().limit_page(LimitsRequest { selection, after: None, limit: 1 }).await?;
                let pointer = of_type.limits.first().and_then(|row| row.key_pointer.as_ref());
                hidden.insert(name.clone(), pointer.is_some_and(|pointer| self.redaction.hides_key(pointer)));
            }
        }
        Ok(hidden)
    }

    /// The limit of a queue or a type, with the first keys of the type.
    pub(crate) async fn limits_of(&self, subject: LimitSubject, limit: u32) -> Result<Vec<LimitRow>, StoreError> {
        let selection = LimitSelection::Of(subject);
        Ok(self.limit_page(LimitsRequest { selection, after: None, limit }).await?.limits)
    }

    /// Puts the weights into a rule that nobody could see, and so could not give: those of a hidden key that stays.
    pub(crate) async fn keep_hidden_weights(
        &self,
        subject: &LimitSubject,
        rule: &mut LimitRule,
    ) -> Result<(), StoreError> {
        if rule.weights.is_empty() && rule.key.as_ref().is_some_and(|key| self.redaction.hides_key(key)) {
            let selection = LimitSelection::Of(subject.clone());
            let known = self.store().limit_page(LimitsRequest { selection, after: None, limit: 1 }).await?;
            let known = known.limits.into_iter().next().filter(|known| known.key_pointer == rule.key);
            rule.weights = known.map(|known| known.weights).unwrap_or_default();
        }
        Ok(())
    }

    /// Sets a rule by hand.
    pub(crate) async fn set_limit(&self, subject: LimitSubject, rule: LimitRule) -> Result<bool, ApiError> {
        self.change_limit(ChangeLimit { subject, rule: Some(rule) }).await
    }

    /// Removes the rule that was set by hand.
    pub(crate) async fn unset_limit(&self, subject: LimitSubject) -> Result<bool, ApiError> {
        self.change_limit(ChangeLimit { subject, rule: None }).await
    }

    async fn change_limit(&self, change: ChangeLimit) -> Result<bool, ApiError> {
        match &change.subject {
            LimitSubject::Queue(queue) => self.check_queue(queue)?,
            LimitSubject::Type(_) => self.check_all("the limit of a type concerns")?,
        }
        Ok(self.store().change_limit(change).await?)
    }
}
