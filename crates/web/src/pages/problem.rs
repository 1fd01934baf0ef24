use maud::{Markup, html};

use super::drawing::text::visible;
use super::layout::{Page, Section, bare, framed};
use super::view::View;
use crate::access::Scope;
use crate::error::ApiError;

/// The page of an error.
pub(super) fn draw(view: &View, error: &ApiError) -> Markup {
    let content = html! {
        div.notice.bad {
            p.why { (visible(error.message())) "." }
            @if let Some((path, words)) = page_for(error) {
                p { a href=(view.link(path)) { (words) } }
            } @else if let Some(hint) = error.hint_words() { p.muted { (visible(hint)) "." } }
            p.muted { "Code: " code { (error.code()) } }
        }
    };
    let title = if error.status().is_server_error() { "This did not work" } else { "This is not possible" };
    // Whoever may not read is shown no menu of pages that answer the same.
    if !view.access.may(Scope::Read) {
        return bare(view, title, &content);
    }
    framed(view, &Page { title, section: Section::None, aside: html! {}, content, dead_letters: None })
}

/// The page that helps, in place of a hint that names a request of the API.
fn page_for(error: &ApiError) -> Option<(&'static str, &'static str)> {
    let names_request = error.hint_words().is_some_and(|hint| hint.contains(" /api/v1/"));
    if !names_request && error.code() != "not_found" {
        return None;
    }
    Some(match error.code() {
        "job_not_found" => ("/jobs", "See all jobs"),
        "batch_not_found" => ("/batches", "See all batches"),
        "limit_not_found" => ("/limits", "See all limits"),
        "schedule_not_found" => ("/schedules", "See all schedules"),
        "forbidden" => ("/queues", "See the queues that you may use"),
        _ => ("/", "Go to the overview"),
    })
}
