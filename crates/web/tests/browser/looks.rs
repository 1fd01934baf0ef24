use serde_json::{Value, json};

use crate::chromium::Chromium;
use crate::site::Site;

const PAGES: [&str; 13] = [
    "/",
    "/jobs",
    "/dead",
    "/queues",
    "/workers",
    "/types",
    "/schedules",
    "/schedules/nightly",
    "/limits",
    "/batches",
    "/batches/1",
    "/preferences",
    "/batches?status=completed",
];

/// The text with less contrast than WCAG AA asks for, as the browser draws it.
pub(crate) const FAINT: &str = "(() => {
    const parse = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((part) => part / 255)
        .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = parse(getComputedStyle(at).backgroundColor);
            if (color.length < 4 || color[3] > 0) return color;
        }
        return [255, 255, 255];
    };
    const faint = [];
    for (const element of document.querySelectorAll('body *')) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own || !element.checkVisibility() || element.closest('svg')) continue;
        const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) faint.push(`${element.className || element.tagName}: ${element.textContent.trim().slice(0, 30)} ${ratio.toFixed(2)}`);
    }
    return [...new Set(faint)];
})()";

fn of_job(site: &Site) -> String {
    format!("/jobs/{}", site.newest("send_receipt"))
}

pub(crate) fn prefer(browser: &mut Chromium, theme: &str) {
    let features = json!([{"name": "prefers-color-scheme", "value": theme}]);
    browser.call("Emulation.setEmulatedMedia", &json!({"features": features}));
}

#[test]
fn every_text_can_be_read_in_light_and_in_dark() {
    let site = Site::start();
    let flow = site.seed_flows();
    assert_eq!(flow.batch.0, 1);
    let mut browser = Chromium::start(1280, 860);
    let job = format!("/jobs/{}", flow.publish);
    for theme in ["light", "dark"] {
        prefer(&mut browser, theme);
        for path in PAGES.into_iter().chain([job.as_str()]) {
            browser.go(&site.at(path));
            assert_eq!(browser.value(FAINT), json!([]), "{path} in {theme}");
            let name = path.trim_matches('/').replace(['/', '?', '='], "-");
            browser.picture(&format!("{theme}-{}", if name.is_empty() { "overview" } else { &name }));
        }
        let background = browser.text("getComputedStyle(document.body).backgroundColor");
        assert_eq!(background == "rgb(14, 16, 20)", theme == "dark", "{background}");
    }
}

#[test]
fn a_chosen_theme_and_zone_hold_on_every_page() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    prefer(&mut browser, "light");
    browser.go(&site.at("/preferences"));
    browser.value("void (document.querySelector('#theme').value = 'dark', document.querySelector('#zone').value = 'Asia/Kathmandu')");
    browser.follow("main button.primary");
    assert!(browser.inner("[role=status]").contains("Times are shown in Asia/Kathmandu."));
    browser.go(&site.at(&of_job(&site)));
    assert_eq!(browser.text("getComputedStyle(document.body).backgroundColor"), "rgb(14, 16, 20)");
    assert!(browser.inner("#facts + *, .facts").contains("+0545"), "{}", browser.inner(".facts"));
    assert!(browser.inner(".top-links").contains("Asia/Kathmandu"));
}

#[test]
fn a_zone_that_does_not_exist_is_refused_with_a_suggestion() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    browser.go(&site.at("/preferences"));
    browser.value("void (document.querySelector('#zone').value = 'Berlin')");
    browser.follow("main button.primary");
    assert!(browser.inner("main").contains("did you mean Europe/Berlin?"));
}

#[test]
fn nothing_is_wider_than_a_phone() {
    let site = Site::start();
    let flow = site.seed_flows();
    assert_eq!(flow.batch.0, 1);
    let mut browser = Chromium::start(390, 844);
    let job = format!("/jobs/{}", flow.publish);
    for path in PAGES.into_iter().chain([job.as_str()]) {
        browser.go(&site.at(path));
        assert_eq!(browser.value("document.documentElement.scrollWidth"), 390, "{path}");
        let name = path.trim_matches('/').replace(['/', '?', '='], "-");
        browser.picture(&format!("phone-{}", if name.is_empty() { "overview" } else { &name }));
    }
}

#[test]
fn the_filter_is_one_line_on_a_screen_and_folded_on_a_phone() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    browser.go(&site.at("/jobs?status=completed&queue=media&error=x"));
    let is_one_line = "(() => {
        const places = [...document.querySelectorAll('form.filters > :is(input:not([type=hidden]), select, button, a)')]
            .map((it) => it.getBoundingClientRect());
        return Math.max(...places.map((it) => it.top)) < Math.min(...places.map((it) => it.bottom));
    })()";
    assert_eq!(browser.value(is_one_line), true);
    assert_eq!(browser.value("document.querySelector('#filter > summary').checkVisibility()"), false);
    let mut phone = Chromium::start(390, 844);
    phone.go(&site.at("/jobs"));
    assert_eq!(phone.value("document.querySelector('form.filters').checkVisibility()"), false);
    assert_eq!(phone.value("document.querySelector('tbody tr').getBoundingClientRect().top < innerHeight"), true);
    phone.click("#filter > summary");
    assert_eq!(phone.value("document.querySelector('form.filters').checkVisibility()"), true);
}

#[test]
fn a_queue_can_be_paused_on_every_screen() {
    let site = Site::start();
    for width in [1280, 1024, 390] {
        let mut browser = Chromium::start(width, 860);
        browser.go(&site.at("/queues"));
        let outside = "[...document.querySelectorAll('button[name=change]')].filter((it) => it.getBoundingClientRect().right > it.closest('.panel').getBoundingClientRect().right).length";
        assert_eq!(browser.value(outside), 0, "{width}");
    }
}

#[test]
fn whatever_can_be_used_has_a_name_and_every_page_has_landmarks() {
    let site = Site::start();
    let flow = site.seed_flows();
    assert_eq!(flow.batch.0, 1);
    let mut browser = Chromium::start(1280, 860);
    let job = format!("/jobs/{}", flow.publish);
    for path in PAGES.into_iter().chain([job.as_str()]) {
        browser.go(&site.at(path));
        let tree = browser.call("Accessibility.getFullAXTree", &json!({}));
        let nodes = tree["nodes"].as_array().unwrap();
        let role = |node: &Value| node["role"]["value"].as_str().unwrap_or_default().to_owned();
        let name = |node: &Value| node["name"]["value"].as_str().unwrap_or_default().trim().to_owned();
        let used = [
            "button",
            "link",
            "textbox",
            "searchbox",
            "combobox",
            "checkbox",
            "img",
            "image",
            "dialog",
            "navigation",
            "table",
        ];
        let unnamed: Vec<String> = nodes
            .iter()
            .filter(|node| {
                node["ignored"] != json!(true)
                    && used.contains(&role(node).as_str())
                    && role(node) != "table"
                    && name(node).is_empty()
            })
            .map(ToString::to_string)
            .collect();
        assert_eq!(unnamed, Vec::<String>::new(), "{path}");
        for landmark in ["banner", "navigation", "main", "search", "heading"] {
            assert!(nodes.iter().any(|node| role(node) == landmark), "{path} has no {landmark}");
        }
        assert_eq!(browser.value("document.querySelectorAll('h1').length"), 1, "{path}");
        let twice = "(() => { const ids = [...document.querySelectorAll('[id]')].map((it) => it.id); return ids.filter((id, at) => ids.indexOf(id) !== at); })()";
        assert_eq!(browser.value(twice), json!([]), "{path}");
    }
}

#[test]
fn the_pages_work_below_a_path() {
    let site = Site::start_with(longshore_web::Web::open_to_everyone, "/ops/jobs");
    let mut browser = Chromium::start(1280, 860);
    browser.go(&site.at("/queues"));
    assert_eq!(browser.value("getComputedStyle(document.body).display"), "grid");
    browser.follow("tr[data-key='media'] button[value=pause]");
    assert_eq!(browser.text("location.pathname"), "/ops/jobs/queues");
    assert!(browser.inner("[role=status]").contains("Queue media is paused."));
    browser.follow(".brand");
    assert_eq!(browser.inner("h1"), "Overview");
    browser.until("document.querySelector('#live').dataset.state === 'live'");
    let outside = "[...document.querySelectorAll('a[href], form[action]')].map((it) => it.getAttribute('href') ?? it.getAttribute('action')).filter((path) => path.startsWith('/') && !path.startsWith('/ops/jobs'))";
    assert_eq!(browser.value(outside), json!([]));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn the_script_is_small_and_assets_are_kept_for_ever() {
    assert!(include_str!("../../assets/app.js").len() < 10 * 1024);
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    browser.go(&site.at("/"));
    for selector in ["script", "link[rel=stylesheet]", "link[rel=icon]"] {
        let header = format!(
            "(async () => {{ const it = document.querySelector({selector:?}); const answer = await fetch(it.src || it.href); return answer.headers.get('cache-control'); }})()"
        );
        assert_eq!(browser.text(&header), "public, max-age=31536000, immutable", "{selector}");
    }
}
