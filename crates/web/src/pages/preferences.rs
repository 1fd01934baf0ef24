use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::cookies;
use super::drawing::instant::{Zone, exact};
use super::drawing::text::visible;
use super::form::{CheckedForm, done};
use super::layout::{Page, Section, framed, hidden};
use super::view::{Theme, View};
use crate::error::ApiError;
use crate::state::State;

/// The time zone and the theme of a user. A browser keeps them; the database does not.
pub(super) async fn show(State(_): State, view: View) -> Markup {
    draw(&view, view.zone.name(), None)
}

/// The form with this text for the zone, and what is wrong with it.
fn draw(view: &View, zone: &str, wrong: Option<&str>) -> Markup {
    let content = html! {
        section.panel aria-label="Preferences" { div.body {
            form.form method="post" action=(view.link("/preferences")) {
                (hidden(view))
                div.field {
                    label for="zone" { "Time zone" }
                    input #zone name="zone" value=(zone) placeholder="Europe/Berlin" required maxlength="64" autocomplete="off" spellcheck="false" aria-invalid=[wrong.map(|_| "true")];
                    @if let Some(wrong) = wrong { span.wrong role="alert" { (visible(wrong)) "." } }
                    button.small #zone-here type="button" hidden {}
                    span.muted { "It is now " (exact(view.now, view.now, &view.zone)) "." }
                }
                div.field {
                    label for="theme" { "Theme" }
                    select #theme name="theme" {
                        @for theme in Theme::ALL { option value=(theme.word()) selected[theme == view.theme] { (theme.word()) } }
                    }
                }
                div.actions { button.primary { "Save" } }
            }
        } }
    };
    framed(view, &Page { title: "Preferences", section: Section::None, aside: html! {}, content, dead_letters: None })
}

/// `POST /preferences`
pub(super) async fn save(State(_): State, mut view: View, form: CheckedForm) -> Result<Response, ApiError> {
    let (word, theme) = (form.required("zone")?, form.required("theme")?);
    let theme = Theme::of_word(theme).ok_or_else(|| ApiError::invalid("the theme must be system, light or dark"))?;
    let zone = match Zone::find(word) {
        Ok(zone) => zone,
        Err(wrong) => {
            // The theme was chosen too, and the page shows it.
            view.theme = theme;
            let page = draw(&view, word, Some(&wrong));
            return Ok((StatusCode::BAD_REQUEST, page).into_response());
        }
    };
    let mut response = done(&view, "/preferences", &format!("Times are shown in {}.", zone.name()));
    let set = [(cookies::ZONE, zone.name()), (cookies::THEME, theme.word())];
    for (name, value) in set {
        response.headers_mut().append(header::SET_COOKIE, cookies::preference(view.base(), name, value));
    }
    Ok(response)
}
