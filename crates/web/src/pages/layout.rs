use maud::{DOCTYPE, Markup, html};

use crate::assets;
use crate::state::WebState;

/// A whole page.
pub(super) fn page(state: &WebState, title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Longshore" }
                link rel="stylesheet" href=(state.path(&assets::path("app.css")));
                script defer src=(state.path(&assets::path("app.js"))) {}
            }
            body { main { h1 { (title) } (content) } }
        }
    }
}
