//! A run as one self-contained page, on which time can be scrubbed.
//!
//! The page is `page.html` with the moments inserted as JSON: no other file, no network, so it can
//! be kept, sent and opened from a disk. `page.html#t=2.5` opens it at that second.

use std::time::Duration;

use super::timeline::{Timeline, What};
use crate::cli::json::{self, Object};

const PAGE: &str = include_str!("page.html");
/// Where the data goes.
const PLACE: &str = "@RUN@";

/// A finished run, and the heading of its picture.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The scenario's name.
    pub title: &'a str,
    /// What else is worth knowing, such as `seed 42, 5 nodes`.
    pub facts: &'a str,
    /// How long the run lasted.
    pub end: Duration,
    /// What happened, messages included.
    pub timeline: &'a Timeline,
}

impl Page<'_> {
    /// The whole page: some 150 bytes for each moment.
    pub fn html(&self) -> String {
        let moments = self.timeline.moments().iter();
        let broken = moments.clone().filter_map(|moment| match &moment.what {
            What::Broken(text) => Some(json::string(text)),
            _ => None,
        });
        let run = Object::new()
            .text("title", self.title)
            .text("facts", self.facts)
            .number("end", self.end.as_secs_f64())
            .value("broken", json::array(broken))
            .value("moments", json::array(moments.map(|moment| moment.json())));
        PAGE.replacen(PLACE, &harmless(&run.end()), 1)
    }
}

/// JSON that is safe in a `<script>`: there `</script>` ends the data and `<!--` changes what
/// follows. In JSON a `<` can only be in a string, where the escape means the same.
fn harmless(json: &str) -> String {
    json.replace('<', "\\u003c")
}
