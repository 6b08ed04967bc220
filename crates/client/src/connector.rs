//! Where a request's byte stream comes from.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

/// A byte stream in both directions. Shutting it down ends what is sent; what comes can still be read.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

type Opening = Pin<Box<dyn Future<Output = io::Result<Box<dyn Io>>> + Send>>;

/// Gives a fresh stream for each request.
#[derive(Clone)]
pub struct Connector {
    name: String,
    open: Arc<dyn Fn() -> Opening + Send + Sync>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connector").field(&self.name).finish()
    }
}

impl Connector {
    /// Connects to a unix socket.
    #[must_use]
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        let path: PathBuf = path.into();
        Self::new(format!("unix://{}", path.display()), move || {
            let path = path.clone();
            async move { UnixStream::connect(path).await }
        })
    }

    /// Asks `open` for a stream: one in memory, say. `name` is what errors call it.
    pub fn new<S, F>(name: impl Into<String>, open: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        S: Io,
        F: Future<Output = io::Result<S>> + Send + 'static,
    {
        let open = move || -> Opening {
            let opening = open();
            Box::pin(async move { Ok(Box::new(opening.await?) as Box<dyn Io>) })
        };
        Self {
            name: name.into(),
            open: Arc::new(open),
        }
    }

    /// What it connects to.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) async fn connect(&self) -> io::Result<Box<dyn Io>> {
        (self.open)().await
    }
}
