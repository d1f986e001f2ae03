//! Files of a folder, and nothing outside of it.
//!
//! Two checks keep requests inside the folder. The target's path has no `..` left when it comes
//! here ([`Path`]). And it is looked up with all symbolic links followed: a link may lead anywhere
//! inside the folder; what is outside is not found. Replacing a file between the look-up and the
//! opening does not help either, because the open file is asked for its own name, in
//! `/proc/self/fd` (Linux).

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::path::{Path as FilePath, PathBuf};
use std::time::SystemTime;

use super::content_type::content_type;
use super::range::Part;
use super::target::Path;
use super::turn::{PIECE, Sent, Turn};
use super::validators::{Validators, Verdict};
use crate::http::{Response, date};

/// The file that is sent for a folder.
const INDEX: &str = "index.html";

/// A folder that is served.
#[derive(Clone, Debug)]
pub struct Root(PathBuf);

/// What a path names.
enum Found {
    File(File, PathBuf),
    /// A folder, requested without a slash at the end.
    Folder,
    Nothing,
}

impl Root {
    /// Takes a folder; fails when it is not a folder, or cannot be entered.
    pub fn new(folder: &FilePath) -> io::Result<Self> {
        let root = folder.canonicalize()?;
        fs::read_dir(&root)?;
        Ok(Self(root))
    }

    /// Opens what a path names. To a client, an unreadable file, a socket or a device is not there.
    fn find(&self, path: &Path) -> io::Result<Found> {
        let mut named = self.0.clone();
        named.extend(&path.segments);
        if path.is_folder {
            named.push(INDEX);
        }
        let Some(real) = self.inside(&named) else {
            return Ok(Found::Nothing);
        };
        let kind = fs::metadata(&real)?;
        if kind.is_dir() && !path.is_folder {
            return Ok(Found::Folder);
        }
        // Opening a named pipe would block.
        if !kind.is_file() {
            return Ok(Found::Nothing);
        }
        let file = File::open(&real)?;
        let opened = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        match self.inside(&opened) {
            Some(name) => Ok(Found::File(file, name)),
            None => Ok(Found::Nothing),
        }
    }

    /// Where this path leads with all links followed, if that is inside the root.
    fn inside(&self, path: &FilePath) -> Option<PathBuf> {
        let real = path.canonicalize().ok()?;
        real.starts_with(&self.0).then_some(real)
    }

    /// Whether there is a file for this path.
    pub(super) fn has(&self, path: &Path) -> bool {
        matches!(self.find(path), Ok(Found::File(..)))
    }
}

/// Answers with the file that the target's path names.
pub(super) fn page(turn: &mut Turn<'_, '_>, root: &Root) -> io::Result<Sent> {
    if !turn.is_get() {
        let only = Response::text(405, "only GET and HEAD here\n");
        return turn.respond(only.with("Allow", "GET, HEAD"));
    }
    let path = match Path::parse(turn.request.path()) {
        Ok(path) => path,
        Err(why) => return turn.text(400, format!("{why}\n")),
    };
    match root.find(&path) {
        Ok(Found::File(file, name)) => send(turn, file, &name),
        Ok(Found::Folder) => {
            let folder = Path {
                is_folder: true,
                ..path
            };
            // The redirect keeps the query.
            let target = &turn.request.target;
            let query = target.find('?').and_then(|at| target.get(at..));
            let location = folder.encoded() + query.unwrap_or_default();
            let see = Response::text(301, "this is a folder\n");
            turn.respond(see.with("Location", location))
        }
        Ok(Found::Nothing) | Err(_) => turn.text(404, "no such file\n"),
    }
}

fn send(turn: &mut Turn<'_, '_>, file: File, name: &FilePath) -> io::Result<Sent> {
    let facts = file.metadata()?;
    let size = facts.len();
    let age = facts.modified()?.duration_since(SystemTime::UNIX_EPOCH);
    let validators = Validators::new(size, age.unwrap_or_default().as_nanos());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap_or_default().as_secs();
    // A file's date may be in the future; Last-Modified must not be (RFC 9110 §8.8.2.1).
    let told = date::imf_fixdate(validators.modified.min(now));
    let about = |status| {
        Response::new(status)
            .with("ETag", &validators.etag)
            .with("Last-Modified", &told)
            .with("Accept-Ranges", "bytes")
    };
    match validators.judge(&turn.request.fields, now) {
        Verdict::Another => return turn.text(412, "the file is another version\n"),
        Verdict::Known => return turn.respond(about(304)),
        Verdict::Wanted => {}
    }
    let asked = validators.range(&turn.request.fields);
    let asked = asked.filter(|_| !turn.is_head()); // for GET only (RFC 9110 §14.2)
    let name = name.file_name().unwrap_or_default().to_string_lossy();
    let (status, part) = match asked.map_or(Part::Whole, |value| Part::of(value, size)) {
        Part::Whole => (200, 0..size),
        Part::Bytes(part) => (206, part),
        Part::Unsatisfiable => {
            let behind = Response::text(416, "the range begins behind the end\n");
            return turn.respond(behind.with("Content-Range", format!("bytes */{size}")));
        }
    };
    let mut response = about(status).with("Content-Type", content_type(&name));
    if status == 206 {
        let range = format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1));
        response = response.with("Content-Range", range);
    }
    turn.begin(response, Some(part.end - part.start))?;
    body(turn, file, part)
}

/// Sends a part of a file. If the file has become shorter meanwhile, the reply is cut, because its
/// length was promised.
fn body(turn: &mut Turn<'_, '_>, mut file: File, part: Range<u64>) -> io::Result<Sent> {
    let mut left = if turn.is_head() {
        0
    } else {
        part.end - part.start
    };
    file.seek(SeekFrom::Start(part.start))?;
    let mut piece = vec![0; left.min(PIECE as u64) as usize];
    while left > 0 {
        let room = left.min(piece.len() as u64) as usize;
        let count = file.read(piece.get_mut(..room).unwrap_or_default())?;
        if count == 0 {
            turn.cut();
            return Err(io::Error::other(
                "a file has become shorter while it was sent",
            ));
        }
        turn.write(piece.get(..count).unwrap_or_default())?;
        left -= count as u64;
    }
    turn.finish(&[])
}
