//! Between a core and its database: a way that can be slow, deaf or cut, or lose the answers to
//! commits. For that it understands just enough of PostgreSQL's protocol to know them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// How the way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As if it were not there.
    Open,
    /// Everything takes so much longer.
    Slow(Duration),
    /// Nothing arrives, and nobody is told.
    Deaf,
    /// Every connection breaks, and no new one is made.
    Cut,
    /// Commits arrive and are carried out; then the connection breaks before the answer.
    LosesCommits,
}

/// A proxy in front of a PostgreSQL server. It ends with its runtime.
pub struct Proxy {
    directory: TempDir,
    way: Arc<watch::Sender<Way>>,
}

impl Proxy {
    /// Starts a proxy for the server whose socket is in a directory.
    #[must_use]
    pub fn start(server: PathBuf) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join(SOCKET)).unwrap();
        let way = Arc::new(watch::Sender::new(Way::Open));
        let ways = way.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *ways.borrow() != Way::Cut {
                    tokio::spawn(connect(client, server.join(SOCKET), ways.clone()));
                }
            }
        });
        Self { directory, way }
    }

    /// The URL of a database of the server, by way of the proxy.
    #[must_use]
    pub fn url(&self, url: &str) -> String {
        let (database, _) = url.split_once('?').unwrap();
        format!("{database}?host={}&user=postgres", self.directory.path().display())
    }

    /// Changes the way.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

/// What PostgreSQL calls its socket.
const SOCKET: &str = ".s.PGSQL.5432";

async fn connect(client: UnixStream, server: PathBuf, way: Arc<watch::Sender<Way>>) {
    // The server may be down: then so is the connection.
    let Ok(server) = UnixStream::connect(server).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut answers = Answers::default();
    // Once there is an answer to a commit, it has been carried out.
    let answer = |bytes: &[u8], way| !answers.commit(bytes) || way != Way::LosesCommits;
    tokio::select! {
        () = carry(from_client, to_server, way.subscribe(), |_, _| true) => {}
        () = carry(from_server, to_client, way.subscribe(), answer) => {}
    }
}

/// What the server says when it has carried out a COMMIT.
const COMMITTED: &[u8] = b"C\0\0\0\x0bCOMMIT\0";

/// What a server says.
#[derive(Default)]
struct Answers {
    /// The last bytes, in which the answer to a commit may begin.
    tail: Vec<u8>,
}

impl Answers {
    /// Whether the answer to a COMMIT ends in these bytes.
    fn commit(&mut self, bytes: &[u8]) -> bool {
        self.tail.extend_from_slice(bytes);
        let found = self.tail.windows(COMMITTED.len()).any(|window| window == COMMITTED);
        self.tail.drain(..self.tail.len().saturating_sub(COMMITTED.len() - 1));
        found
    }
}

/// Carries bytes until the end, or until the way is cut, or `look` says that it breaks.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut way: watch::Receiver<Way>,
    mut look: impl FnMut(&[u8], Way) -> bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            cut = way.wait_for(|way| *way == Way::Cut) => {
                drop(cut);
                return;
            }
        };
        let Ok(count @ 1..) = read else { return };
        let now = *way.borrow();
        match now {
            Way::Slow(delay) => tokio::time::sleep(delay).await,
            Way::Deaf => drop(way.wait_for(|way| *way != Way::Deaf).await),
            Way::Open | Way::Cut | Way::LosesCommits => {}
        }
        if !look(&buffer[..count], now) {
            return;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
