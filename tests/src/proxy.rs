//! Between a core and its database: a way that can be slow, deaf or cut, or lose the answers to
//! commits. For that it understands just enough of PostgreSQL's protocol to know them.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

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
    let mut messages = Messages::default();
    let is_lost = AtomicBool::new(false);
    let ask = |bytes: &[u8], way| {
        let commits = messages.commit(bytes);
        if commits && way == Way::LosesCommits {
            is_lost.store(true, Ordering::SeqCst);
        }
        true
    };
    // Once there is an answer to a commit, it has been carried out.
    let answer = |_: &[u8], _| !is_lost.load(Ordering::SeqCst);
    tokio::select! {
        () = carry(from_client, to_server, way.subscribe(), ask) => {}
        () = carry(from_server, to_client, way.subscribe(), answer) => {}
    }
}

/// What a client says, cut into messages.
#[derive(Default)]
struct Messages {
    /// The first message, which has no type, has come.
    begun: bool,
    head: Vec<u8>,
    /// How much of the message is still to come.
    left: usize,
    /// The text of a simple query, so far.
    query: Option<Vec<u8>>,
}

impl Messages {
    /// Whether a COMMIT ends in these bytes.
    fn commit(&mut self, bytes: &[u8]) -> bool {
        let mut found = false;
        for byte in bytes {
            if self.left == 0 {
                self.head(*byte);
                continue;
            }
            self.left -= 1;
            let Some(query) = &mut self.query else { continue };
            query.push(*byte);
            if self.left == 0 {
                found |= String::from_utf8_lossy(query).contains("COMMIT");
            }
        }
        found
    }

    /// A byte of the type and length of a message.
    fn head(&mut self, byte: u8) {
        self.head.push(byte);
        let typed = usize::from(self.begun);
        if self.head.len() < typed + 4 {
            return;
        }
        let length = u32::from_be_bytes(self.head[typed..].try_into().unwrap());
        self.left = usize::try_from(length).unwrap().saturating_sub(4);
        self.query = (self.begun && self.head[0] == b'Q').then(Vec::new);
        self.begun = true;
        self.head.clear();
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
