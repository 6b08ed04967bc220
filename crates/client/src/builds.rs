//! Building images, through this engine's own door.

use api::Query;
use api::build::{BuildOptions, BuildPruned, BuildStatus};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::error::{Error, Result};
use crate::stream::Download;
use crate::transport::{Call, Client};
use crate::upload::Upload;

/// What can be built.
#[derive(Debug, Clone, Copy)]
pub struct Builds<'a>(pub(crate) &'a Client);

/// What happens in a build, as it happens.
#[derive(Debug)]
pub struct Building {
    body: Download,
    buffer: Vec<u8>,
}

impl Builds<'_> {
    /// Begins a build; `context` is the tar of a context that is streamed. It ends when this side stops listening.
    ///
    /// # Errors
    /// The engine refuses or can't be reached; what goes wrong later comes with the events. Status 412: it can't read what is
    /// to be read in place.
    pub async fn start(
        &self,
        options: &BuildOptions,
        context: Option<Box<dyn AsyncRead + Send + Unpin>>,
    ) -> Result<Building> {
        let mut head =
            serde_json::to_vec(options).map_err(|e| Error::protocol("encode request", e))?;
        head.push(b'\n');
        let head = std::io::Cursor::new(head);
        let body = match context {
            Some(context) => Upload::stream(head.chain(context)),
            None => Upload::stream(head),
        };
        let call = Call::post("/tare/v1/build").tar(body);
        let body = self.0.download(call).await?;
        Ok(Building {
            body,
            buffer: Vec::new(),
        })
    }

    /// Removes the cache.
    ///
    /// # Errors
    /// As [`Builds::start`].
    pub async fn prune(&self) -> Result<BuildPruned> {
        self.0.fetch(Call::post("/build/prune")).await
    }

    /// Stops a build by its name. It says itself that it ended.
    ///
    /// # Errors
    /// The engine can't be reached.
    pub async fn cancel(&self, name: &str) -> Result<()> {
        let query = Query::new().with("id", name);
        self.0.run(Call::post("/build/cancel").query(query)).await
    }
}

impl Building {
    /// The next event, and its line as it came; none when there will be no more.
    ///
    /// # Errors
    /// The connection broke, or the engine's answer is no event.
    pub async fn next(&mut self) -> Result<Option<(BuildStatus, Vec<u8>)>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let status = api::decode(&line).map_err(|e| Error::protocol("decode event", e))?;
                return Ok(Some((status, line)));
            }
            let mut chunk = [0; 16 << 10];
            let read = self.body.read(&mut chunk).await;
            match read.map_err(|e| Error::protocol("read events", e))? {
                0 => return Ok(None),
                read => self.buffer.extend_from_slice(&chunk[..read]),
            }
        }
    }
}
