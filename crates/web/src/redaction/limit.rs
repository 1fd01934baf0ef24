use longshore_core::{AuditEntry, LimitRow, LimitRule};

use super::{PLACEHOLDER, Redaction};

impl Redaction {
    /// The weights of a type name keys, which may be values of a hidden field.
    pub(crate) fn hide_in_limit(&self, row: &mut LimitRow) {
        if row.key_pointer.as_ref().is_some_and(|key| self.hides_key(key)) {
            row.weights.clear();
        }
    }

    /// The weights of a rule name keys, which may be values of a hidden field.
    pub(crate) fn hide_in_entry(&self, entry: &mut AuditEntry) {
        if self.is_empty() || entry.action != "set_limit" {
            return;
        }
        let Some(weights) = entry.target.find("\"weights\":") else { return };
        // A long target is cut, and then it is not known what the key is.
        let rule = entry.target.find('{').and_then(|at| serde_json::from_str::<LimitRule>(&entry.target[at..]).ok());
        let is_plain = rule.is_some_and(|rule| !rule.key.is_some_and(|key| self.hides_key(&key)));
        if !is_plain {
            entry.target.truncate(weights);
            entry.target.push_str(PLACEHOLDER);
        }
    }
}

#[cfg(test)]
mod tests {
    use longshore_core::{AuditId, DeedOutcome, Timestamp};

    use super::*;

    fn told(target: &str) -> String {
        let mut entry = AuditEntry {
            id: AuditId(1),
            at: Timestamp::from_ms(0),
            actor: "ada".to_owned(),
            via: "api".to_owned(),
            action: "set_limit".to_owned(),
            target: target.to_owned(),
            outcome: DeedOutcome::Done,
            ended_at: None,
            changed: None,
            error: None,
        };
        Redaction::new(["tenant"]).unwrap().hide_in_entry(&mut entry);
        entry.target
    }

    #[test]
    fn weights_of_a_hidden_key_are_hidden() {
        let hidden = r#"type sync: {"key":"/tenant","weights":{"acme":3}}"#;
        assert_eq!(told(hidden), r#"type sync: {"key":"/tenant",[redacted]"#);
        assert_eq!(told(&hidden[..hidden.len() - 3]), r#"type sync: {"key":"/tenant",[redacted]"#);
        let shown = r#"type sync: {"key":"/region","weights":{"eu":3}}"#;
        assert_eq!(told(shown), shown);
    }
}
