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
            @if let Some(hint) = error.hint_words() { p.muted { (visible(hint)) "." } }
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
