//! The meaning of etcd's errors for a change: surely not made, perhaps made, never to be made.
//!
//! The gateway answers an error with an HTTP status and, as JSON, the code of gRPC
//! (`google.golang.org/grpc/codes`) and a text (`etcdserver/api/v3rpc/rpctypes/error.go`). The
//! statuses are coarser, and differ between versions of the gateway; the codes do not.

use super::body;
use crate::cli::json::Value;
use crate::kv::command::Refused;
use crate::kv::store::StoreError;

/// Whether a request changes something. The meaning of a missing answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only reads.
    Read,
    /// It may change something.
    Change,
}

impl Effect {
    /// The error if the request was sent, and what came back does not show its outcome.
    pub fn unanswered(self, why: String) -> StoreError {
        match self {
            Effect::Read => StoreError::NotDone(why),
            Effect::Change => StoreError::Unknown(why),
        }
    }
}

/// The gRPC codes that etcd uses for errors before anything was proposed.
const INVALID_ARGUMENT: u64 = 3;
const NOT_FOUND: u64 = 5;
const PERMISSION_DENIED: u64 = 7;
const RESOURCE_EXHAUSTED: u64 = 8;
const FAILED_PRECONDITION: u64 = 9;
const UNIMPLEMENTED: u64 = 12;
const UNAUTHENTICATED: u64 = 16;

/// The meaning of an answer whose status is not 200.
pub fn of_answer(status: u16, answer: &[u8], effect: Effect) -> StoreError {
    let answer = body::parse(answer, answer.len()).unwrap_or(Value::Null);
    // If the answer would have been a stream, `error` is an object with the members.
    let (error, code) = match answer.get("error") {
        Some(error @ Value::Object(_)) => (error, "grpc_code"),
        _ => (&answer, "code"),
    };
    let Some(code) = error.get(code).and_then(Value::as_u64) else {
        return of_status(status, effect);
    };
    let why = body::text(error, "message");
    if why.contains("database space exceeded") {
        return StoreError::Refused(Refused::Full);
    }
    // A learner takes no changes; another endpoint may be a voter. (The code depends on the
    // version.)
    if why.contains("not supported for learner") {
        return StoreError::NotDone(why);
    }
    match code {
        INVALID_ARGUMENT | NOT_FOUND | PERMISSION_DENIED | FAILED_PRECONDITION | UNIMPLEMENTED
        | UNAUTHENTICATED => StoreError::Refused(Refused::Other(why)),
        // "too many requests": it was not accepted.
        RESOURCE_EXHAUSTED => StoreError::NotDone(why),
        // For example "request timed out" and "leader changed": the entry may be in the log.
        _ if why.contains("etcdserver: no leader") => StoreError::NotDone(why),
        _ => effect.unanswered(why),
    }
}

/// The meaning of a watch that etcd ends: it may be begun again, unless the reason would stay the
/// same.
pub fn of_end(why: &str) -> StoreError {
    const FINAL: [&str; 6] = [
        "InvalidArgument",
        "NotFound",
        "PermissionDenied",
        "FailedPrecondition",
        "Unimplemented",
        "Unauthenticated",
    ];
    let error = why.strip_prefix("rpc error: code = ");
    match error.and_then(|error| error.split_once(" desc = ")) {
        Some((code, why)) if FINAL.contains(&code) => {
            StoreError::Refused(Refused::Other(why.into()))
        }
        _ => StoreError::NotDone(format!("the watch broke: {why}")),
    }
}

/// An answer that is not etcd's own: from a proxy before it, or a version that has no `/v3`.
fn of_status(status: u16, effect: Effect) -> StoreError {
    let why = format!("HTTP status {status}");
    match status {
        404 | 405 => StoreError::Refused(Refused::Other(format!("{why}: no etcd 3.4 or later"))),
        400..=499 => StoreError::Refused(Refused::Other(why)),
        _ => effect.unanswered(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_unknown_unless_its_error_says_that_it_was_not_made() {
        let other = |why: &str| StoreError::Refused(Refused::Other(why.into()));
        let full = "etcdserver: mvcc: database space exceeded";
        let no_leader = "etcdserver: no leader";
        let learner = "etcdserver: rpc not supported for learner";
        for (status, code, message, wanted) in [
            (400, 3, "etcdserver: key is not provided", None),
            (429, 8, full, Some(StoreError::Refused(Refused::Full))),
            (
                429,
                8,
                "etcdserver: too many requests",
                Some(StoreError::NotDone("etcdserver: too many requests".into())),
            ),
            (
                503,
                14,
                no_leader,
                Some(StoreError::NotDone(no_leader.into())),
            ),
            (503, 14, learner, Some(StoreError::NotDone(learner.into()))),
            (400, 9, learner, Some(StoreError::NotDone(learner.into()))),
            (
                503,
                14,
                "etcdserver: request timed out",
                Some(StoreError::Unknown("etcdserver: request timed out".into())),
            ),
            (401, 16, "etcdserver: invalid auth token", None),
        ] {
            let answer = format!(r#"{{"error":"x","code":{code},"message":"{message}"}}"#);
            let found = of_answer(status, answer.as_bytes(), Effect::Change);
            assert_eq!(found, wanted.unwrap_or_else(|| other(message)));
        }
    }

    #[test]
    fn a_read_that_failed_may_be_tried_elsewhere() {
        let answer = br#"{"code":14,"message":"etcdserver: request timed out"}"#;
        let found = of_answer(503, answer, Effect::Read);
        assert!(matches!(found, StoreError::NotDone(_)));
        let found = of_answer(502, b"Bad Gateway", Effect::Read);
        assert!(matches!(found, StoreError::NotDone(_)));
    }

    #[test]
    fn a_watch_that_is_refused_will_be_the_next_time() {
        let refused = |why: &str| StoreError::Refused(Refused::Other(why.into()));
        let empty = "etcdserver: user name is empty";
        let why = format!("rpc error: code = InvalidArgument desc = {empty}");
        assert_eq!(of_end(&why), refused(empty));
        for why in ["enough", "rpc error: code = Unavailable desc = gone"] {
            let broken = StoreError::NotDone(format!("the watch broke: {why}"));
            assert_eq!(of_end(why), broken);
        }
        let answer = br#"{"error":{"grpc_code":7,"message":"why","http_status":"Forbidden"}}"#;
        assert_eq!(of_answer(403, answer, Effect::Read), refused("why"));
        let answer = br#"{"error":{"grpc_code":14,"http_code":503,"message":"why"}}"#;
        let away = StoreError::NotDone("why".into());
        assert_eq!(of_answer(503, answer, Effect::Read), away);
    }

    #[test]
    fn an_answer_that_is_not_etcds_says_so() {
        let found = of_answer(404, b"404 page not found", Effect::Change);
        assert_eq!(
            found.to_string(),
            "refused: HTTP status 404: no etcd 3.4 or later"
        );
        let found = of_answer(502, b"Bad Gateway", Effect::Change);
        assert!(matches!(found, StoreError::Unknown(_)));
    }
}
