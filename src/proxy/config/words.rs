//! Which word sets which field: one row each, for the service and for a pool, in the order in which
//! `--check-config` prints them.

use super::pool::PoolConfig;
use super::service::Config;
use super::settings::{Setting, Unit};

/// A word and its field.
pub(super) struct Row<T: 'static> {
    /// The first word of a line, and the flag's name.
    pub(super) word: &'static str,
    /// Whether a number may be zero.
    pub(super) may_be_zero: bool,
    pub(super) unit: Unit,
    pub(super) field: fn(&mut T) -> &mut dyn Setting,
}

/// A word whose number, if it has one, is not zero.
const fn row<T>(word: &'static str, field: fn(&mut T) -> &mut dyn Setting) -> Row<T> {
    Row {
        word,
        may_be_zero: false,
        unit: Unit::Things,
        field,
    }
}

/// A word whose number may be zero.
const fn or_zero<T>(word: &'static str, field: fn(&mut T) -> &mut dyn Setting) -> Row<T> {
    Row {
        may_be_zero: true,
        ..row(word, field)
    }
}

/// A word with a number of bytes; zero is allowed only where the field is optional.
const fn bytes<T>(word: &'static str, field: fn(&mut T) -> &mut dyn Setting) -> Row<T> {
    Row {
        unit: Unit::Bytes,
        ..row(word, field)
    }
}

/// The words of the service.
#[rustfmt::skip]
pub(super) const SERVICE: [Row<Config>; 37] = [
    row("listen", |config| &mut config.listeners),
    row("reuse-port", |config| &mut config.reuse_port),
    row("route", |config| &mut config.routes),
    row("reject-unknown-host", |config| &mut config.reject_unknown_host),
    row("allow", |config| &mut config.allow),
    row("deny", |config| &mut config.deny),
    row("max-connections", |config| &mut config.limits.connections),
    row("max-per-peer", |config| &mut config.limits.per_peer),
    row("rate-limit", |config| &mut config.limits.rate),
    row("rate-burst", |config| &mut config.limits.rate_burst),
    row("rate-clients", |config| &mut config.limits.rate_clients),
    bytes("max-body", |config| &mut config.limits.body),
    bytes("max-request-line", |config| &mut config.limits.message.start_line),
    bytes("max-field-line", |config| &mut config.limits.message.field_line),
    bytes("max-header", |config| &mut config.limits.message.section),
    row("max-fields", |config| &mut config.limits.message.fields),
    bytes("max-chunk-line", |config| &mut config.limits.message.chunk_line),
    bytes("max-trailers", |config| &mut config.limits.message.trailers),
    row("header-timeout", |config| &mut config.timeouts.header),
    row("idle-timeout", |config| &mut config.timeouts.idle),
    row("body-timeout", |config| &mut config.timeouts.body),
    row("write-timeout", |config| &mut config.timeouts.write),
    row("tunnel-timeout", |config| &mut config.timeouts.tunnel),
    or_zero("drain", |config| &mut config.timeouts.drain),
    row("forwarded-for", |config| &mut config.forwarding.forwarded_for),
    row("forwarded", |config| &mut config.forwarding.forwarded),
    row("via", |config| &mut config.forwarding.via),
    row("trust", |config| &mut config.forwarding.trust),
    row("connect-allow", |config| &mut config.connect_allow),
    row("name-server", |config| &mut config.name_servers),
    row("resolve-min", |config| &mut config.resolve_min),
    row("resolve-max", |config| &mut config.resolve_max),
    row("access-log", |config| &mut config.access_log),
    row("access-format", |config| &mut config.access_format),
    row("admin", |config| &mut config.admin),
    row("admin-token-file", |config| &mut config.admin_token_file),
    row("metrics", |config| &mut config.metrics),
];

/// The words of a pool.
#[rustfmt::skip]
pub(super) const POOL: [Row<PoolConfig>; 24] = [
    row("backend", |pool| &mut pool.backends),
    row("balance", |pool| &mut pool.balance),
    row("health-path", |pool| &mut pool.health_path),
    row("health-interval", |pool| &mut pool.health_interval),
    row("health-timeout", |pool| &mut pool.health_timeout),
    row("rise", |pool| &mut pool.health.rise),
    row("fall", |pool| &mut pool.health.fall),
    or_zero("max-failures", |pool| &mut pool.health.max_failures),
    row("ejection", |pool| &mut pool.health.ejection),
    row("longest-ejection", |pool| &mut pool.health.longest_ejection),
    or_zero("slow-start", |pool| &mut pool.health.slow_start),
    row("backend-connections", |pool| &mut pool.backend_connections),
    or_zero("queue", |pool| &mut pool.queue),
    row("queue-timeout", |pool| &mut pool.queue_timeout),
    or_zero("retries", |pool| &mut pool.retry.retries),
    or_zero("retry-budget", |pool| &mut pool.retry.budget_percent),
    or_zero("retry-reserve", |pool| &mut pool.retry.budget_per_second),
    row("connect-timeout", |pool| &mut pool.connect_timeout),
    row("first-byte-timeout", |pool| &mut pool.first_byte_timeout),
    row("backend-idle-timeout", |pool| &mut pool.backend_idle_timeout),
    or_zero("keep-alive", |pool| &mut pool.keep_alive),
    row("keep-alive-time", |pool| &mut pool.keep_alive_time),
    row("max-age", |pool| &mut pool.max_age),
    row("proxy-protocol", |pool| &mut pool.proxy_protocol),
];

/// The row of a word.
pub(super) fn find<T>(rows: &'static [Row<T>], word: &str) -> Option<&'static Row<T>> {
    rows.iter().find(|row| row.word == word)
}

/// The first words of all lines.
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    let service = SERVICE.iter().map(|row| row.word);
    let pool = POOL.iter().map(|row| row.word);
    service.chain(pool).chain(["pool", "include"])
}
