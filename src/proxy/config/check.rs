//! The check of a whole configuration: every part has what it needs, and nothing is unused.

use std::collections::BTreeSet;

use super::problem::{Place, Problem};
use super::read::Reader;
use super::routes::{HostPattern, Route};
use super::service::Config;
use crate::cli::nearest;

impl Config {
    /// The same configuration, if all of it is valid; a single pool without a route gets one. This
    /// is for one that was made in code: it is read from its own text, so the lines of problems are
    /// those that [`Display`](std::fmt::Display) shows.
    pub fn checked(self) -> Result<Config, Vec<Problem>> {
        let name = "config";
        let mut include = |_: &str| Err("there is no file".to_string());
        let read = Config::parse(name, &self.to_string(), &mut include)?;
        let mut same = read.clone();
        if self.routes.is_empty() {
            same.routes.clear();
        }
        if same == self {
            return Ok(read);
        }
        let whole = Place::Line {
            name: name.into(),
            line: 0,
        };
        let why = "a value that no line can say, such as a limit of Some(0)";
        Err(vec![Problem::new(&whole, why)])
    }
}

impl Reader<'_> {
    /// The configuration, if all of it is valid. `whole` is the place of problems that belong to no
    /// line.
    pub(super) fn finish(mut self, whole: &Place) -> Result<Config, Vec<Problem>> {
        self.check_service(whole);
        for place in 0..self.config.pools.len() {
            self.check_pool(place);
        }
        self.check_routes();
        match self.problems.is_empty() {
            true => Ok(self.config),
            false => Err(self.problems),
        }
    }

    fn check_service(&mut self, whole: &Place) {
        if self.config.listeners.is_empty() {
            self.problem(whole, "listen: needed, an address to serve");
        }
        if self.config.pools.is_empty() {
            self.problem(whole, "backend: needed, somebody to answer");
        }
        if self.config.resolve_min > self.config.resolve_max {
            self.problem(whole, "resolve-min: longer than resolve-max");
        }
        let message = &self.config.limits.message;
        if message.start_line > message.section {
            self.problem(
                whole,
                "max-request-line: more than max-header, which it is part of",
            );
        }
    }

    fn check_pool(&mut self, at: usize) {
        let (Some(pool), Some(place)) = (self.config.pools.get(at), self.pool_places.get(at))
        else {
            return;
        };
        let mut wrong = Vec::new();
        let name = &pool.name;
        if pool.backends.is_empty() {
            wrong.push(format!("backend: pool {name} has none"));
        }
        let mut earlier = BTreeSet::new();
        for backend in &pool.backends {
            if !earlier.insert(backend.address.to_string()) {
                wrong.push(format!(
                    "backend {}: stands twice in pool {name}",
                    backend.address
                ));
            }
        }
        if pool.health.ejection > pool.health.longest_ejection {
            wrong.push(format!(
                "ejection: longer than longest-ejection, in pool {name}"
            ));
        }
        let is_path = |path: &String| {
            path.starts_with('/')
                && path
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && byte != b'#')
        };
        if pool.health_path.as_ref().is_some_and(|path| !is_path(path)) {
            wrong.push(format!(
                "health-path: must begin with / and have no space, in pool {name}"
            ));
        }
        let place = place.clone();
        wrong.iter().for_each(|what| self.problem(&place, what));
    }

    /// Every route leads to a pool, and every pool has a route. A single pool needs none.
    fn check_routes(&mut self) {
        if let ([only], []) = (&self.config.pools[..], &self.config.routes[..]) {
            let route = Route {
                host: HostPattern::Any,
                prefix: "/".into(),
                pool: only.name.clone(),
            };
            self.config.routes.push(route);
            return;
        }
        let mut wrong = Vec::new();
        let (pools, routes) = (&self.config.pools, &self.config.routes);
        for (index, (route, place)) in routes.iter().zip(&self.route_places).enumerate() {
            if !pools.iter().any(|pool| pool.name == route.pool) {
                let near = nearest(&route.pool, pools.iter().map(|pool| pool.name.as_str()));
                let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
                wrong.push((place.clone(), format!("route {route}: no such pool{hint}")));
            }
            let is_same = |other: &Route| other.host == route.host && other.prefix == route.prefix;
            if routes.iter().take(index).any(is_same) {
                wrong.push((place.clone(), format!("route {route}: stands there before")));
            }
        }
        for (pool, place) in pools.iter().zip(&self.pool_places) {
            if !routes.iter().any(|route| route.pool == pool.name) {
                wrong.push((
                    place.clone(),
                    format!("pool {}: no route leads to it", pool.name),
                ));
            }
        }
        wrong
            .iter()
            .for_each(|(place, what)| self.problem(place, what));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::LogTarget;
    use super::*;

    fn first_problem(text: &str) -> String {
        let read = Config::parse("lb", text, &mut |_| Err(String::new()));
        let problems = read.err().unwrap_or_default();
        problems.first().map_or("fine".into(), Problem::to_string)
    }

    #[test]
    fn a_configuration_is_whole_or_told_why_not() {
        #[rustfmt::skip]
        let table = [
            ("listen :80\nbackend http://a:1", "fine"),
            ("backend http://a:1", "lb: listen: needed, an address to serve"),
            ("listen :80", "lb: backend: needed, somebody to answer"),
            ("listen :80\npool a", "lb:2: backend: pool a has none"),
            ("listen :80\nbackend http://a\nbackend http://a:80 backup", "lb:2: backend http://a:80: stands twice in pool default"),
            ("listen :80\nbackend http://a:1\nhealth-path x", "lb:2: health-path: must begin with / and have no space, in pool default"),
            ("listen :80\nbackend http://a:1\nejection 6m", "lb:2: ejection: longer than longest-ejection, in pool default"),
            ("listen :80\nbackend http://a:1\nmax-header 4k", "lb: max-request-line: more than max-header, which it is part of"),
            ("listen :80\nbackend http://a:1\nresolve-min 1h", "lb: resolve-min: longer than resolve-max"),
            ("listen :80\npool web\nbackend http://a:1\nroute / weeb", "lb:4: route / weeb: no such pool; did you mean web?"),
            ("listen :80\nbackend http://a:1\nroute / default\nroute / default", "lb:4: route / default: stands there before"),
            ("listen :80\npool a\nbackend http://a:1\npool b\nbackend http://b:1", "lb:2: pool a: no route leads to it"),
            ("listen :80\npool a\nbackend http://a:1\npool b\nbackend http://b:1\nroute / a", "lb:4: pool b: no route leads to it"),
        ];
        for (text, first) in table {
            assert_eq!(first_problem(text), first);
        }
    }

    #[test]
    fn a_configuration_made_in_code_is_held_to_the_same_rules() {
        let text = "listen :80\nqueue 7\nbackend http://a:1";
        let good = Config::parse("lb", text, &mut |_| Err(String::new())).unwrap();
        let bare = Config {
            routes: Vec::new(),
            ..good.clone()
        };
        assert_eq!(bare.checked(), Ok(good.clone()));
        type Spoil = fn(&mut Config);
        #[rustfmt::skip]
        let table: [(Spoil, &str); 11] = [
            (|c| c.listeners.clear(), "listen: needed, an address to serve"),
            (|c| c.pools.clear(), "backend: needed, somebody to answer"),
            (|c| c.pools[0].backends.clear(), "backend: pool default has none"),
            (|c| c.pools[0].backends[0].weight = 0, "backend http://a:1 weight=0: weight=0: a weight is a number from 1 to 1000"),
            (|c| c.pools[0].name.clear(), "pool: needs one value, its NAME"),
            (|c| c.pools.push(c.pools[0].clone()), "pool default: there is such a pool"),
            (|c| c.pools[0].health_interval = Duration::ZERO, "health-interval 0: must not be zero"),
            (|c| c.timeouts.idle = Duration::MAX, "idle-timeout 18446744073709551615999999.999us: too large, at most 584 years"),
            (|c| c.limits.per_peer = Some(0), "a value that no line can say, such as a limit of Some(0)"),
            (|c| c.access_log = Some(LogTarget::Path("off".into())), "a value that no line can say, such as a limit of Some(0)"),
            (|c| c.admin_token_file = Some("a\nreuse-port".into()), "a value that no line can say, such as a limit of Some(0)"),
        ];
        for (spoil, first) in table {
            let mut config = good.clone();
            spoil(&mut config);
            let problems = config.checked().unwrap_err();
            assert_eq!(problems[0].what, first);
        }
    }

    #[test]
    fn a_single_pool_answers_everything() {
        let read = Config::parse("lb", "listen :80\nbackend http://a:1", &mut |_| {
            Err(String::new())
        });
        assert_eq!(read.unwrap().router().choose(b"", b"/x"), Ok(0));
    }
}
