use longshore_core::BatchJob;
use maud::{Markup, html};

use super::given_name;
use super::graph::{Edge, Graph, Node, Place};
use crate::pages::drawing::table::status_in_words;
use crate::pages::drawing::text::{counted, line, number, visible};
use crate::pages::view::View;

/// Five steps fit on a page that is 1280 pixels wide.
const WIDTH: usize = 166;
const HEIGHT: usize = 40;
const GAP: usize = 10;
/// The room between steps, in which the lines are.
const LANE: usize = 36;
const MARGIN: usize = 4;
/// How many characters a box has room for.
const NAME_MAX: usize = 20;

/// A graph as SVG: boxes with links, lines between them, colours by status. Every box also says its status in words.
pub(super) fn drawn(view: &View, graph: &Graph<'_>) -> Markup {
    let tallest = graph.steps.iter().map(Vec::len).max().unwrap_or(0);
    let width = width_of(graph.steps.len());
    let height = tallest * (HEIGHT + GAP) - GAP + 2 * MARGIN;
    let at = |place: Place| corner(place, graph.steps[place.0].len(), tallest);
    let jobs = graph.steps.iter().flatten().filter(|node| matches!(node, Node::Job(_))).count();
    html! {
        div.scroll tabindex="0" role="region" aria-label="Graph" {
            svg.graph viewBox=(format!("0 0 {width} {height}")) width=(width) height=(height) role="group" aria-label={ (counted(jobs as u64, "job")) " in " (counted(graph.steps.len() as u64, "step")) } {
                @for edge in &graph.edges { (line_of(edge, at)) }
                @for (step, nodes) in graph.steps.iter().enumerate() {
                    @for (row, node) in nodes.iter().enumerate() { (box_of(view, node, at((step, row)))) }
                }
            }
        }
    }
}

const fn width_of(steps: usize) -> usize {
    steps * (WIDTH + LANE) - LANE + 2 * MARGIN
}

/// The upper left corner of a box. Steps with fewer boxes are in the middle.
const fn corner((step, row): Place, rows: usize, tallest: usize) -> Place {
    let above = (tallest - rows) * (HEIGHT + GAP) / 2;
    (MARGIN + step * (WIDTH + LANE), MARGIN + above + row * (HEIGHT + GAP))
}

fn line_of(edge: &Edge, at: impl Fn(Place) -> Place) -> Markup {
    let ((x1, y1), (x2, y2)) = (at(edge.from), at(edge.to));
    let (x1, y1, y2) = (x1 + WIDTH, y1 + HEIGHT / 2, y2 + HEIGHT / 2);
    let (first, second) = (x1 + LANE / 2, x2 - LANE / 2);
    html! { path.edge.over[edge.is_over] d=(format!("M{x1} {y1}C{first} {y1} {second} {y2} {x2} {y2}")) {} }
}

fn box_of(view: &View, node: &Node<'_>, (x, y): Place) -> Markup {
    html! {
        @match node {
            Node::Job(job) => (job_box(view, job, (x, y))),
            Node::Signal { name, has_come } => (plain_box((x, y), "signal", name, if *has_come { "signal, has come" } else { "signal, awaited" })),
            Node::End { has_come } => (plain_box((x, y), "end", "End of the batch", if *has_come { "has come" } else { "awaited" })),
            Node::More(count) => {
                g.node.more {
                    rect x=(x) y=(y) width=(WIDTH) height=(HEIGHT) rx="6" {}
                    text x=(x + 12) y=(y + 24) { "and " (number(*count as u64)) " more" }
                }
            },
        }
    }
}

fn job_box(view: &View, job: &BatchJob, (x, y): Place) -> Markup {
    let reference = given_name(job);
    let name = reference.unwrap_or(&job.job_type);
    let status = status_in_words(job.status);
    let below = match reference {
        Some(_) => format!("{} · {}", shortened(&job.job_type, NAME_MAX - 8), status),
        None => format!("{} · {}", job.id, status),
    };
    let spoken = format!("Job {}, {}, {}, {status}", job.id, line(name), line(&job.job_type));
    html! {
        a href=(view.link(&format!("/jobs/{}", job.id))) aria-label=(spoken) {
            g class={ "node " (job.status.as_str()) } {
                title { (spoken) }
                rect x=(x) y=(y) width=(WIDTH) height=(HEIGHT) rx="6" {}
                rect.mark x=(x + 5) y=(y + 8) width="4" height=(HEIGHT - 16) rx="2" {}
                text.name x=(x + 16) y=(y + 17) { (shortened(name, NAME_MAX)) }
                text.status x=(x + 16) y=(y + 31) { (below) }
            }
        }
    }
}

fn plain_box((x, y): Place, class: &str, name: &str, below: &str) -> Markup {
    html! {
        g class={ "node " (class) } {
            title { (line(name)) ", " (below) }
            rect x=(x) y=(y) width=(WIDTH) height=(HEIGHT) rx="20" {}
            text.name x=(x + 16) y=(y + 17) { (shortened(name, NAME_MAX)) }
            text x=(x + 16) y=(y + 31) { (below) }
        }
    }
}

/// The beginning of a name, of so many characters.
fn shortened(name: &str, letters: usize) -> String {
    let name = visible(name).replace(['\n', '\t'], " ");
    if name.chars().count() <= letters {
        return name;
    }
    name.chars().take(letters - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_between_characters_and_shows_what_is_hidden() {
        assert_eq!(shortened("short", 22), "short");
        assert_eq!(shortened(&"é".repeat(40), 22), format!("{}…", "é".repeat(21)));
        assert_eq!(shortened("a\u{202e}b\n", 22), "a\\u{202e}b ");
    }

    #[test]
    fn five_steps_fit_on_a_page() {
        // 1280 less the menu, the margins, the edges of a panel and a bar for scrolling.
        assert!(width_of(5) <= 990);
    }

    #[test]
    fn boxes_do_not_touch_and_short_steps_are_in_the_middle() {
        assert_eq!(corner((0, 0), 3, 3), (MARGIN, MARGIN));
        assert_eq!(corner((1, 0), 1, 3), (MARGIN + WIDTH + LANE, MARGIN + HEIGHT + GAP));
    }
}
