//! The macro that turns one declaration of a service into both ends of it.

/// Declares a service once: makes a trait for the server to implement, and a stub for the client to
/// call, both with the same names and types.
///
/// ```
/// use groundwire::rpc::{Call, Client, ClientConfig, Failure, RpcHandler, ServerConfig};
/// use groundwire::server::{Config, Server};
/// use groundwire::net::{self, Network};
///
/// groundwire::rpc_service! {
///     /// Greets people.
///     pub trait Greeter, client GreeterClient, as "Greeter" {
///         /// A greeting by name.
///         [repeatable] fn greet(name: String) -> String, as "Greet";
///     }
/// }
///
/// struct Polite;
///
/// impl Greeter for Polite {
///     fn greet(&self, _: &Call<'_>, name: String) -> Result<String, Failure> {
///         if name.is_empty() {
///             return Err(Failure::Refused("nobody to greet".into()));
///         }
///         Ok(format!("Good day, {name}."))
///     }
/// }
///
/// let listener = net::listen(Network::Tcp, "127.0.0.1:0")?;
/// let address = listener.local_addr().to_string();
/// let handler = RpcHandler::new(ServerConfig::default(), vec![Polite.into_service()]);
/// let running = Server::new(Config::default(), handler).start(listener)?;
///
/// let conn = net::dial(Network::Tcp, &address)?;
/// let client = GreeterClient(Client::over(conn, ClientConfig::default())?);
/// assert_eq!(client.greet("Ada")?, "Good day, Ada.");
/// assert_eq!(client.greet("").unwrap_err().to_string(), "nobody to greet");
/// # drop(client);
/// # running.stop()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The words in brackets before a method state its special properties: `slow` (it runs on a worker
/// thread; see [`Traits`](crate::rpc::Traits)), `repeatable` (a client may run it again), `stream`
/// (the result is a stream of items: the server's method takes a [`Sink`](crate::rpc::Sink), the
/// client's returns a [`Stream`](crate::rpc::Stream)). The server's methods take
/// [`&Call`](crate::rpc::Call) first, and return `Result<_, Failure>`. Any other word is refused:
///
/// ```compile_fail
/// groundwire::rpc_service! {
///     pub trait Adder, client AdderClient, as "Adder" {
///         [fast] fn add(a: u8, b: u8) -> u8, as "Add";
///     }
/// }
/// ```
/// The stub accepts as an argument anything that encodes like the argument's type: `&str` for a
/// `String`.
#[macro_export]
macro_rules! rpc_service {
    (
        $(#[$attr:meta])*
        $vis:vis trait $service:ident, client $client:ident, as $name:literal {
            $(
                $(#[$mattr:meta])*
                $([$($flag:ident),+])? fn $method:ident($($arg:ident: $type:ty),* $(,)?)
                    -> $result:ty, as $wire:literal;
            )*
        }
    ) => {
        $(#[$attr])*
        $vis trait $service: Send + Sync + 'static {
            $(
                $crate::rpc_service!(@declare [$($($flag)+)?] $(#[$mattr])* $method ($($arg: $type),*) -> $result);
            )*

            /// The service, for an [`RpcHandler`]($crate::rpc::RpcHandler) to offer.
            fn into_service(self) -> $crate::rpc::Service
            where
                Self: Sized,
            {
                let this = ::std::sync::Arc::new(self);
                let service = $crate::rpc::Service::new($name);
                $(
                    let service = {
                        let this = this.clone();
                        $crate::rpc_service!(@offer [$($($flag)+)?] service this $wire
                            $service $method ($($arg: $type),*) -> $result)
                    };
                )*
                let _ = this;
                service
            }
        }

        $(#[$attr])*
        ///
        /// The client's end, built on a [`Caller`]($crate::rpc::Caller).
        #[derive(Clone, Debug)]
        $vis struct $client<C>(
            /// What carries the calls.
            pub C,
        );

        #[allow(dead_code)]
        impl<C: $crate::rpc::Caller> $client<C> {
            $(
                $crate::rpc_service!(@stub [$($($flag)+)?] [concat!($name, ".", $wire)] $(#[$mattr])*
                    $method ($($arg: $type),*) -> $result);
            )*
        }
    };

    (@declare [$($flag:ident)*] $(#[$attr:meta])* $method:ident ($($arg:ident: $type:ty),*) -> $result:ty) => {
        $($crate::rpc_service!(@known $flag);)*
        $crate::rpc_service!(@if_stream [$($flag)*] {
            $(#[$attr])*
            fn $method(
                &self,
                call: &$crate::rpc::Call<'_>,
                $($arg: $type,)*
                sink: &mut $crate::rpc::Sink<'_, $result>,
            ) -> ::std::result::Result<(), $crate::rpc::Failure>;
        } else {
            $(#[$attr])*
            fn $method(
                &self,
                call: &$crate::rpc::Call<'_>,
                $($arg: $type,)*
            ) -> ::std::result::Result<$result, $crate::rpc::Failure>;
        });
    };

    (@offer [$($flag:ident)*] $built:ident $this:ident $wire:literal $service:ident $method:ident
        ($($arg:ident: $type:ty),*) -> $result:ty) => {
        $crate::rpc_service!(@if_stream [$($flag)*] {
            $built.stream($wire, $crate::rpc_service!(@traits $($flag)*),
                move |call: &$crate::rpc::Call<'_>, ($($arg,)*): ($($type,)*), sink: &mut $crate::rpc::Sink<'_, $result>| {
                    $service::$method(&*$this, call, $($arg,)* sink)
                })
        } else {
            $built.method($wire, $crate::rpc_service!(@traits $($flag)*),
                move |call: &$crate::rpc::Call<'_>, ($($arg,)*): ($($type,)*)| {
                    $service::$method(&*$this, call, $($arg),*)
                })
        })
    };

    (@stub [$($flag:ident)*] [$name:expr] $(#[$attr:meta])* $method:ident ($($arg:ident: $type:ty),*) -> $result:ty) => {
        $crate::rpc_service!(@if_stream [$($flag)*] {
            $(#[$attr])*
            pub fn $method(
                &self,
                $($arg: impl $crate::rpc::Argument<$type>,)*
            ) -> ::std::result::Result<$crate::rpc::Stream<$result>, $crate::rpc::CallError> {
                let method = $crate::rpc::MethodName {
                    name: $name,
                    repeatable: $crate::rpc_service!(@traits $($flag)*).repeatable,
                };
                self.0.stream_method(method, &($($arg,)*))
            }
        } else {
            $(#[$attr])*
            pub fn $method(
                &self,
                $($arg: impl $crate::rpc::Argument<$type>,)*
            ) -> ::std::result::Result<$result, $crate::rpc::CallError> {
                let method = $crate::rpc::MethodName {
                    name: $name,
                    repeatable: $crate::rpc_service!(@traits $($flag)*).repeatable,
                };
                self.0.call_method(method, &($($arg,)*))
            }
        });
    };

    (@traits $($flag:ident)*) => {{
        #[allow(unused_mut)]
        let mut traits = $crate::rpc::Traits {
            slow: false,
            repeatable: false,
            stream: false,
        };
        $($crate::rpc_service!(@set traits $flag);)*
        traits
    }};
    (@set $traits:ident slow) => { $traits.slow = true; };
    (@set $traits:ident repeatable) => { $traits.repeatable = true; };
    (@set $traits:ident stream) => { $traits.stream = true; };
    (@set $traits:ident $other:ident) => {}; // reported by `@known`, once

    (@known slow) => {};
    (@known repeatable) => {};
    (@known stream) => {};
    (@known $other:ident) => {
        compile_error!(concat!(
            "`[", stringify!($other), "]` before a method: only slow, repeatable and stream can stand there"
        ));
    };

    (@if_stream [stream $($flag:ident)*] { $($then:tt)* } else { $($else:tt)* }) => { $($then)* };
    (@if_stream [$other:ident $($flag:ident)*] { $($then:tt)* } else { $($else:tt)* }) => {
        // In braces, because it is used in the place of an item and of an expression.
        $crate::rpc_service! { @if_stream [$($flag)*] { $($then)* } else { $($else)* } }
    };
    (@if_stream [] { $($then:tt)* } else { $($else:tt)* }) => { $($else)* };
}
