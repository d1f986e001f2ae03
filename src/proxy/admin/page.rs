//! `/`: the status page. One page of HTML, with its style and script in it.
//!
//! The server writes the whole table, so the page is complete without JavaScript. With it,
//! `page.js` asks for `/backends` every second and updates the cells in place; when backends have
//! come or gone, it reloads the page. When there is no answer any more, it says how old the numbers
//! are: a page that shows yesterday's health is worse than none.
//!
//! Draining and enabling take two clicks: one opens a confirmation, the other confirms. Both are
//! forms, so they work without JavaScript, too.
//!
//! The policy ([`policy`]) allows only the one style and the one script of this page, by their
//! digests (Content Security Policy 3 §2.3.1): even if a name got into the page as markup, the
//! browser would not run it.

use std::fmt::Write;
use std::time::Duration;

use super::listing::seconds;
use super::view::{BackendView, PoolView, word};
use crate::http::{base64, percent};
use crate::proxy::health::State;
use crate::rpc::sha256::sha256;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page.
pub fn page(pools: &[PoolView], uptime: Duration, has_token: bool) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>load-balancer</title>\n<style>{STYLE}</style>\n\
         <body data-token=\"{has_token}\">\n<header><h1>load-balancer</h1>\n\
         <p>up for <span id=\"uptime\">{}</span></p></header>\n\
         <p id=\"notice\" role=\"status\" hidden></p>\n<main>\n",
        clock(uptime)
    );
    pools.iter().for_each(|pool| write_pool(&mut html, pool));
    if pools.is_empty() {
        html.push_str("<p>There is no pool.</p>\n");
    }
    // Writing to a String cannot fail, here and below.
    let _ = write!(
        html,
        "</main>\n<footer>Latencies and counts are since the start. \
         <a href=\"/backends\">backends</a> <a href=\"/metrics\">metrics</a> \
         <a href=\"/healthz\">healthz</a></footer>\n<script>{SCRIPT}</script>\n"
    );
    html
}

const COLUMNS: [&str; 10] = [
    "backend", "state", "share", "active", "requests", "per s", "failures", "5xx", "p50", "p99",
];

fn write_pool(html: &mut String, pool: &PoolView) {
    let name = escaped(&pool.name);
    let health = pool_health(pool);
    let _ = write!(
        html,
        "<section data-pool=\"{name}\" class=\"{health}\">\n<h2>{name}</h2>\n<p>\
         <b class=\"summary\">{}</b>, <span class=\"waiting\">{}</span> waiting, {}</p>\n\
         <table>\n<thead><tr>",
        summary(pool),
        pool.waiting,
        pool.balance
    );
    for column in COLUMNS {
        let _ = write!(html, "<th scope=\"col\">{column}</th>");
    }
    html.push_str("<td></td></tr></thead>\n<tbody>\n");
    for backend in &pool.backends {
        write_backend(html, &pool.name, backend);
    }
    html.push_str("</tbody></table></section>\n");
}

/// The pool's health in one word, which is a class in the style sheet.
fn pool_health(pool: &PoolView) -> &'static str {
    match pool.usable() {
        0 => "out",
        usable if usable < pool.backends.len() => "part",
        _ => "well",
    }
}

fn summary(pool: &PoolView) -> String {
    match pool.usable() {
        0 => "no backend in service".into(),
        usable => format!("{usable} of {} in service", pool.backends.len()),
    }
}

fn write_backend(html: &mut String, pool: &str, backend: &BackendView) {
    let name = escaped(&backend.name);
    let _ = write!(
        html,
        "<tr data-backend=\"{name}\" class=\"{}\"><th scope=\"row\">{name}{}</th>",
        word(backend.state),
        if backend.backup { " <i>backup</i>" } else { "" }
    );
    let [_, _, _, _, server_errors] = backend.classes;
    let cells = [
        ("state", state_text(backend)),
        ("share", format!("{:.0} %", backend.share)),
        ("active", active(backend)),
        ("requests", backend.requests.to_string()),
        ("per s", "–".into()),
        ("failures", backend.failures.to_string()),
        ("5xx", server_errors.to_string()),
        ("p50", milliseconds(backend.p50)),
        ("p99", milliseconds(backend.p99)),
    ];
    for (column, text) in cells {
        let _ = write!(html, "<td data-column=\"{column}\">{text}</td>");
    }
    html.push_str("<td>");
    let out = matches!(backend.state, State::Draining | State::Ejected { .. });
    let path = format!(
        "{}/{}",
        percent::encode(pool),
        percent::encode(&backend.name)
    );
    for (verb, hidden) in [
        ("drain", backend.state == State::Draining),
        ("enable", !out),
    ] {
        let hidden = if hidden { " hidden" } else { "" };
        let _ = write!(
            html,
            "<details class=\"{verb}\"{hidden}><summary>{verb}…</summary><form method=\"post\" \
             action=\"/backends/{path}/{verb}\"><button>{verb} {name}</button></form></details>"
        );
    }
    html.push_str("</td></tr>\n");
}

/// A state, in words for people.
pub fn state_text(backend: &BackendView) -> String {
    match (backend.state, backend.left) {
        (State::Ejected { .. }, Some(left)) => format!("ejected, {} s left", seconds(left)),
        (State::Trying, _) => "trying one request".into(),
        (State::Draining, _) if backend.active == 0 => "drained".into(),
        (state, _) => state.to_string(),
    }
}

fn active(backend: &BackendView) -> String {
    match backend.max {
        Some(max) => format!("{} of {max}", backend.active),
        None => backend.active.to_string(),
    }
}

fn milliseconds(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1000.0;
    match milliseconds {
        0.0 => "–".into(),
        0.0..10.0 => format!("{milliseconds:.2} ms"),
        _ => format!("{milliseconds:.0} ms"),
    }
}

/// `3 d 04:05:06`.
fn clock(time: Duration) -> String {
    let all = time.as_secs();
    let (days, hours, minutes, seconds) = (all / 86_400, all / 3600 % 24, all / 60 % 60, all % 60);
    let days = if days > 0 {
        format!("{days} d ")
    } else {
        String::new()
    };
    format!("{days}{hours:02}:{minutes:02}:{seconds:02}")
}

/// Escapes text for HTML, in attributes too.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// The page's Content-Security-Policy.
pub fn policy() -> String {
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        base64::encode(&sha256(STYLE.as_bytes())),
        base64::encode(&sha256(SCRIPT.as_bytes()))
    )
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::backend;
    use super::*;
    use crate::proxy::balance::Algorithm;

    fn pool(name: &str, backends: Vec<BackendView>) -> PoolView {
        PoolView {
            name: name.into(),
            balance: Algorithm::RoundRobin,
            waiting: 3,
            backends,
        }
    }

    #[test]
    fn names_are_text_wherever_they_stand() {
        let name = "<b onload='x'>&\"/é";
        let html = page(
            &[pool(name, vec![backend(name, State::Up)])],
            Duration::ZERO,
            false,
        );
        assert!(
            !html.contains("<b onload") && !html.contains("'x'"),
            "{html}"
        );
        assert!(html.contains("<h2>&lt;b onload=&#39;x&#39;&gt;&amp;&quot;/é</h2>"));
        let path = "%3Cb%20onload%3D%27x%27%3E%26%22%2F%C3%A9";
        assert!(html.contains(&format!("action=\"/backends/{path}/{path}/drain\"")));
    }

    #[test]
    fn every_state_is_told_in_words() {
        let until = Duration::from_secs(9);
        let states = [
            (State::Up, "up"),
            (State::SlowStart(40), "slow start, 40 %"),
            (State::Trying, "trying one request"),
            (State::Down, "down"),
            (State::Draining, "drained"),
            (State::Ejected { until }, "ejected, 5 s left"),
        ];
        let backends = states.map(|(state, _)| BackendView {
            left: matches!(state, State::Ejected { .. }).then_some(Duration::from_millis(4001)),
            ..backend("a", state)
        });
        let html = page(&[pool("www", backends.to_vec())], Duration::ZERO, false);
        for (_, text) in states {
            assert!(html.contains(&format!("<td data-column=\"state\">{text}</td>")));
        }
        assert!(html.contains("class=\"part\"") && html.contains("3 of 6 in service"));
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let html = page(&[], Duration::from_secs(90_061), true);
        for bad in [
            "http://",
            "https://",
            "src=",
            "@import",
            "url(",
            "javascript:",
            "style=",
        ] {
            assert!(!html.contains(bad), "{bad}");
        }
        assert!(html.contains("1 d 01:01:01") && html.contains("data-token=\"true\""));
    }
}
