//! The effective configuration as lines: `--check-config` prints them, and they read as the same
//! configuration.

use std::fmt;

use super::pool::PoolConfig;
use super::service::Config;
use super::words::{POOL, Row, SERVICE};

impl fmt::Display for Config {
    /// Every word with its value, including defaults; the pools follow the service.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, &SERVICE, self)?;
        self.pools.iter().try_for_each(|pool| write!(f, "{pool}"))
    }
}

impl fmt::Display for PoolConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\npool {}", self.name)?;
        show(f, &POOL, self)
    }
}

fn show<T: Clone>(f: &mut fmt::Formatter<'_>, rows: &[Row<T>], value: &T) -> fmt::Result {
    // The table gives mutable access to a field only, so show a copy.
    let mut value = value.clone();
    for row in rows {
        for shown in (row.field)(&mut value).show(row.unit) {
            let space = if shown.is_empty() { "" } else { " " };
            writeln!(f, "{}{space}{shown}", row.word)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Seeded;

    /// Lines of the sample in another order, cut, and with special characters inserted.
    #[test]
    fn whatever_is_read_is_refused_with_reasons_or_shown_as_the_same() {
        let mut random = Seeded::new(5_08);
        let lines: Vec<&str> = ALL.lines().collect();
        let mut good = 0;
        for _ in 0..3000 {
            let mut text = "listen :80\nbackend http://a:1\n".to_string();
            for _ in 0..random.below(6) {
                text += lines.get(random.below(lines.len())).unwrap();
                text.push('\n');
            }
            for _ in 0..random.below(3) {
                let at = random.below(text.len());
                if text.is_char_boundary(at) {
                    text.insert_str(
                        at,
                        ["\n", " ", "\"", "#", "0", "/", "é", "\0"][random.below(8)],
                    );
                }
            }
            match Config::parse("lb", &text, &mut |_| Err("no".into())) {
                Ok(config) => {
                    good += 1;
                    assert_eq!(read(&config.to_string()), config, "{text}");
                }
                Err(problems) => assert!(!problems.is_empty()),
            }
        }
        assert!(good > 100, "only {good} were right");
    }

    fn read(text: &str) -> Config {
        Config::parse("lb", text, &mut |_| Err(String::new())).unwrap()
    }

    /// Every word, each with a value that is not its default.
    const ALL: &str = "\
        listen 127.0.0.1:8080\nlisten \"unix:/run/my lb\" proxy-protocol\nreuse-port\n\
        route shop.example.com/ shop\nroute / www\nreject-unknown-host\n\
        allow 10.0.0.0/8\nallow ::1\ndeny 10.1.0.0/16\nmax-connections 500\nmax-per-peer 10\n\
        rate-limit 50\nrate-burst 100\nrate-clients 1000\nmax-body 10MiB\nmax-request-line 4KiB\nmax-field-line 5KiB\n\
        max-header 17KiB\nmax-fields 50\nmax-chunk-line 512\nmax-trailers 1KiB\nheader-timeout 5s\n\
        idle-timeout 1500ms\nbody-timeout 1.5us\nwrite-timeout 1m\ntunnel-timeout 2h\ndrain 0\n\
        forwarded-for keep\nforwarded\nvia edge-1\ntrust 192.0.2.0/24\nconnect-allow db.internal:5432\n\
        name-server 192.0.2.53:53\nresolve-min 2s\nresolve-max 3m\naccess-log \"/var/log/my lb\"\n\
        access-format json\nadmin 127.0.0.1:9090\nadmin-token-file /etc/token\nmetrics unix:/run/m\n\
        pool www\nbackend http://a:1 weight=3 max=7\nbackend unix:/run/app backup\n\
        balance client-hash\nhealth-path /up?x=1\nhealth-interval 1s\nhealth-timeout 1s\nrise 1\nfall 1\n\
        max-failures 1\nejection 1s\nlongest-ejection 1m\nslow-start 30s\nbackend-connections 9\n\
        queue 0\nqueue-timeout 1s\nretries 0\nretry-budget 0\nretry-reserve 0\nconnect-timeout 1s\n\
        first-byte-timeout 1s\nbackend-idle-timeout 1s\nkeep-alive 0\nkeep-alive-time 1s\nmax-age 1h\n\
        proxy-protocol v2\n\
        pool shop\nbackend srv:_http._tcp.shop.internal.\n";

    #[test]
    fn what_is_shown_reads_as_the_same_configuration() {
        for text in [ALL, "listen :80\nbackend http://a:1"] {
            let config = read(text);
            let shown = config.to_string();
            assert_eq!(read(&shown), config, "{shown}");
            assert_eq!(read(&shown).to_string(), shown);
        }
    }

    #[test]
    fn the_sample_has_every_word_and_none_at_its_default() {
        let shown = read("listen :80\nbackend http://a:1").to_string();
        for word in super::super::words::all().filter(|word| *word != "include") {
            let line = ALL
                .lines()
                .find(|line| line.split(' ').next() == Some(word));
            let line = line.unwrap_or_else(|| panic!("the sample lacks {word}"));
            assert!(!shown.lines().any(|default| default == line), "{line}");
        }
    }

    #[test]
    fn defaults_are_shown_too() {
        let shown = read("listen :80\nbackend http://a:1").to_string();
        let expected = [
            "listen :80",
            "route / default",
            "drain 25s",
            "via groundwire",
            "queue 100",
        ];
        for line in expected {
            assert!(
                shown.lines().any(|found| found == line),
                "{line} in\n{shown}"
            );
        }
    }
}
