//! A browser without a window, for what only one can say of a page.

use std::process::Command;

use super::Folder;

/// What a browser makes of a page in three seconds of its time: the document, after its scripts.
/// `None` where there is no browser, which is said; CI must have one.
pub fn sees(url: &str) -> Option<String> {
    let folder = Folder::new();
    let browsers = ["chromium-headless-shell", "chromium"].into_iter();
    let mut tried = browsers.map(|browser| {
        Command::new(browser)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .arg(format!("--user-data-dir={}", folder.path("profile")))
            .args(["--virtual-time-budget=3000", "--dump-dom", url])
            .output()
    });
    let Some(output) = tried.find_map(Result::ok) else {
        assert!(std::env::var_os("CI").is_none(), "CI installs a browser");
        println!("skipped: no browser");
        return None;
    };
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}
