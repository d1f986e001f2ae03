//! What every server tells about itself: `Server.Methods` and `Server.Stats`. Also `Server.Quit`,
//! if the program offers it.

use std::sync::{Arc, OnceLock, Weak};

use super::failure::Failure;
use super::service::{Router, Service, Traits};
use crate::server::Stopper;

crate::wire! {
    /// One line of `Server.Methods`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct MethodInfo {
        /// `Service.Method`.
        pub name: String,
        /// It runs on a worker thread.
        pub slow: bool,
        /// It may be run again.
        pub repeatable: bool,
        /// It replies with a stream.
        pub stream: bool,
        ..
    }

    /// One line of `Server.Stats`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct MethodCount {
        /// `Service.Method`.
        pub name: String,
        /// Calls that were run.
        pub calls: u64,
        /// How many of them ended in a failure.
        pub failed: u64,
        /// The median time of a call, in nanoseconds.
        pub p50_ns: u64,
        /// The time that one call in a hundred exceeds, in nanoseconds.
        pub p99_ns: u64,
        ..
        /// Calls that were not run, because too many were in flight or waiting.
        pub refused: Option<u64>,
    }
}

/// The server's methods, for the two methods that list them. They are set last, when all are known.
#[derive(Default)]
pub(super) struct About {
    router: Arc<OnceLock<Weak<Router>>>,
}

impl About {
    pub(super) fn of(&self, router: &Arc<Router>) {
        let _ = self.router.set(Arc::downgrade(router));
    }

    /// The service `Server`, without `Quit`.
    pub(super) fn service(&self) -> Service {
        let repeatable = Traits {
            repeatable: true,
            ..Traits::default()
        };
        let (methods, stats) = (self.router.clone(), self.router.clone());
        Service::new("Server")
            .method("Methods", repeatable, move |_, ()| {
                let router = known(&methods)?;
                let all = router.methods().into_iter().map(|method| MethodInfo {
                    name: method.name.clone(),
                    slow: method.traits.slow,
                    repeatable: method.traits.repeatable,
                    stream: method.traits.stream,
                });
                Ok(all.collect::<Vec<_>>())
            })
            .method("Stats", repeatable, move |_, ()| {
                let router = known(&stats)?;
                let all = router.methods().into_iter().map(|method| MethodCount {
                    name: method.name.clone(),
                    calls: method.stats.time.count(),
                    failed: method.stats.failed.get(),
                    p50_ns: method.stats.time.quantile(0.5),
                    p99_ns: method.stats.time.quantile(0.99),
                    refused: Some(method.stats.refused.get()),
                });
                Ok(all.collect::<Vec<_>>())
            })
    }
}

fn known(router: &OnceLock<Weak<Router>>) -> Result<Arc<Router>, Failure> {
    router
        .get()
        .and_then(Weak::upgrade)
        .ok_or(Failure::ShuttingDown)
}

/// A service with one method, `Server.Quit`, which stops the server gracefully. Anyone who can
/// connect can call it, so only the program can offer it.
pub fn quit(stopper: Stopper) -> Service {
    Service::new("Server").method("Quit", Traits::default(), move |_, ()| {
        stopper.stop();
        Ok(())
    })
}
