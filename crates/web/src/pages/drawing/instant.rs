use jiff::ZonedDateTime;
use jiff::tz::TimeZone;
use longshore::schedule::find_time_zone;
use longshore_core::Timestamp;
use longshore_report::relative_time::{relative, span};
use maud::{Markup, html};

/// The time zone in which a user sees every instant.
#[derive(Clone, Debug)]
pub(in crate::pages) struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    /// The zone of somebody who has chosen none.
    pub(in crate::pages) fn utc() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    /// The zone of this name, or what is wrong with the name.
    pub(in crate::pages) fn find(name: &str) -> Result<Self, String> {
        let zone = find_time_zone(name).map_err(|error| error.to_string())?;
        Ok(Self { name: zone.iana_name().unwrap_or("UTC").to_owned(), zone })
    }

    pub(in crate::pages) fn name(&self) -> &str {
        &self.name
    }

    fn format(&self, at: Timestamp, format: &str) -> String {
        match jiff::Timestamp::from_millisecond(at.as_ms()) {
            Ok(instant) => ZonedDateTime::new(instant, self.zone.clone()).strftime(format).to_string(),
            // Only another program can have written such a number.
            Err(_) => at.to_string(),
        }
    }

    /// `2026-11-26 20:15:03.123 CET`
    pub(in crate::pages) fn full(&self, at: Timestamp) -> String {
        self.format(at, "%Y-%m-%d %H:%M:%S%.3f %Z")
    }

    /// `20:15`, for the axis of a chart.
    pub(in crate::pages) fn minute(&self, at: Timestamp) -> String {
        self.format(at, "%H:%M")
    }

    /// `Thu 26 Nov`, for the axis of a chart.
    pub(in crate::pages) fn day(&self, at: Timestamp) -> String {
        self.format(at, "%a %-d %b")
    }
}

/// How long ago an instant was, or in how long it is. The instant itself is its title.
pub(in crate::pages) fn ago(at: Timestamp, now: Timestamp, zone: &Zone) -> Markup {
    html! { time datetime=(at) title=(zone.full(at)) { (relative(at, now)) } }
}

/// The same, or a dash.
pub(in crate::pages) fn ago_or_dash(at: Option<Timestamp>, now: Timestamp, zone: &Zone) -> Markup {
    html! {
        @match at {
            Some(at) => (ago(at, now, zone)),
            None => span.muted { "–" },
        }
    }
}

/// For how long something has gone on. The instant at which it began is its title.
pub(in crate::pages) fn lasting(since: Timestamp, now: Timestamp, zone: &Zone) -> Markup {
    html! { time datetime=(since) title=(zone.full(since)) { "for " (span(now.since(since))) } }
}

/// An instant with its zone.
pub(in crate::pages) fn instant(at: Timestamp, zone: &Zone) -> Markup {
    html! { time datetime=(at) { (zone.full(at)) } }
}

/// An instant with its zone, and how long ago it was.
pub(in crate::pages) fn exact(at: Timestamp, now: Timestamp, zone: &Zone) -> Markup {
    html! { (instant(at, zone)) " " span.muted { "(" (relative(at, now)) ")" } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_shown_in_the_chosen_zone_and_names_it() {
        let at = "2026-07-01T12:00:00.250Z".parse().unwrap();
        let berlin = Zone::find("europe/berlin").unwrap();
        assert_eq!(berlin.full(at), "2026-07-01 14:00:00.250 CEST");
        assert_eq!(berlin.name(), "Europe/Berlin");
        assert_eq!(Zone::utc().full(at), "2026-07-01 12:00:00.250 UTC");
        let shown = ago(at, at.after(std::time::Duration::from_secs(90)), &berlin).into_string();
        assert_eq!(
            shown,
            "<time datetime=\"2026-07-01T12:00:00.250Z\" title=\"2026-07-01 14:00:00.250 CEST\">1m30s ago</time>"
        );
    }

    #[test]
    fn a_name_that_is_no_zone_is_refused_with_a_suggestion() {
        let message = Zone::find("Berlin").unwrap_err();
        assert!(message.contains("did you mean Europe/Berlin?"), "{message}");
        assert!(Zone::find("../../etc/passwd").is_err());
    }
}
