use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::drawing::text::{number, visible};
use super::view::{Theme, View};
use crate::access::csrf;
use crate::assets;

/// A page, ready to be framed.
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    /// The page of the menu that it belongs to.
    pub(super) section: Section,
    /// Beside the title, such as buttons.
    pub(super) aside: Markup,
    pub(super) content: Markup,
    /// The number of dead letters, where the page has just read it; else the menu shows that of the view.
    pub(super) dead_letters: Option<u64>,
}

/// The pages of the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Overview,
    Jobs,
    DeadLetters,
    Queues,
    Workers,
    Types,
    Schedules,
    Limits,
    Batches,
    Migrations,
    Audit,
    Api,
    None,
}

const MENU: [(Section, &str, &str); 12] = [
    (Section::Overview, "/", "Overview"),
    (Section::Jobs, "/jobs", "Jobs"),
    (Section::DeadLetters, "/dead", "Dead letters"),
    (Section::Queues, "/queues", "Queues"),
    (Section::Workers, "/workers", "Workers"),
    (Section::Types, "/types", "Types"),
    (Section::Schedules, "/schedules", "Schedules"),
    (Section::Limits, "/limits", "Limits"),
    (Section::Batches, "/batches", "Batches"),
    (Section::Migrations, "/migrations", "Migrations"),
    (Section::Audit, "/audit", "Audit"),
    (Section::Api, "/api", "API"),
];

const LOGO: &str = r##"<svg viewBox="0 0 24 24" aria-hidden="true"><rect width="24" height="24" rx="6" fill="#2563eb"/><path d="M5 8.5h9M5 12h14M5 15.5h6" stroke="#fff" stroke-width="2" stroke-linecap="round"/></svg>"##;

/// A whole document.
pub(super) fn framed(view: &View, page: &Page<'_>) -> Markup {
    document(
        view,
        page.title,
        &html! {
            header.top {
                a.brand href=(view.link("/")) { (PreEscaped(LOGO)) "Longshore" }
                form.search role="search" action=(view.link("/search")) method="get" {
                    label.sr for="search" { "Search jobs" }
                    input #search type="search" name="q" placeholder="Job id, type, status:… error:… tag:… data:/id=7" autocomplete="off" maxlength="500";
                    kbd aria-hidden="true" { "/" }
                }
                span.spacer {}
                div.top-links {
                    button.live.small #live type="button" hidden { "Live" }
                    a href=(view.link("/preferences")) title="Times are shown in this zone" { (view.zone.name()) }
                    button.small type="button" data-help hidden aria-label="Keyboard shortcuts" { "?" }
                    @if view.can_log_out {
                        span.muted { (visible(view.access.name())) }
                        form method="post" action=(view.link("/logout")) { (hidden(view)) button.small { "Log out" } }
                    }
                }
            }
            nav.side aria-label="Pages" {
                ul {
                    @for (section, path, name) in MENU {
                        li {
                            a href=(view.link(path)) aria-current=[(section == page.section).then_some("page")] {
                                span { (name) }
                                @if section == Section::DeadLetters {
                                    // Always there, because a live page puts the new number in its place.
                                    @let count = page.dead_letters.or(view.dead_letters).unwrap_or(0);
                                    span #menu-dead.count.bad hidden[count == 0] { (number(count)) }
                                }
                            }
                        }
                    }
                }
            }
            main #main tabindex="-1" {
                @if let Some(words) = &view.notice { div.notice.good role="status" { (visible(words)) } }
                div.head { div.title { h1 { (page.title) } } div.actions { (page.aside) } }
                (page.content)
            }
            (shortcuts())
        },
    )
}

/// A document without a menu: the log-in and errors of those who are not known.
pub(super) fn bare(view: &View, title: &str, content: &Markup) -> Markup {
    document(view, title, &html! { main.center #main tabindex="-1" { h1 { (title) } (content) } })
}

fn document(view: &View, title: &str, body: &Markup) -> Markup {
    let theme = (view.theme != Theme::System).then(|| view.theme.word());
    html! {
        (DOCTYPE)
        html lang="en" data-base=(view.base()) data-theme=[theme] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) @if !view.database.is_empty() { " · " (view.database) } " · Longshore" }
                link rel="icon" type="image/svg+xml" href=(view.link(&assets::path("favicon.svg")));
                link rel="stylesheet" href=(view.link(&assets::path("app.css")));
                script defer src=(view.link(&assets::path("app.js"))) {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                (body)
            }
        }
    }
}

fn shortcuts() -> Markup {
    const KEYS: [(&str, &str); 7] = [
        ("/", "Search"),
        ("j k", "Next and previous row"),
        ("x", "Select the row"),
        ("r", "Retry the job, or the selected ones"),
        ("p", "Pause or continue live updates"),
        ("?", "This help"),
        ("Esc", "Close, or leave a field"),
    ];
    html! {
        dialog #help aria-labelledby="help-title" {
            h2 #help-title { "Keyboard shortcuts" }
            dl { @for (key, meaning) in KEYS { dt { kbd { (key) } } dd { (meaning) } } }
            form method="dialog" { button { "Close" } }
        }
    }
}

/// The fields that every form of a page has: the proof that it is one of ours, and the page to come back to.
pub(super) fn hidden(view: &View) -> Markup {
    html! {
        input type="hidden" name=(csrf::FIELD) value=(view.csrf);
        input type="hidden" name="back" value=(view.here);
    }
}
