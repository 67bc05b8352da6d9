//! A mail server for tests: takes every mail, or refuses some, and keeps what it took.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// A mail as it came.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Whom it is for.
    pub to: String,
    /// Headers and text.
    pub content: String,
}

/// A running mail server.
pub struct MailServer {
    /// Its URL.
    pub url: String,
    mails: Arc<Mutex<Vec<Mail>>>,
    /// What it says to the next mails, in place of taking them.
    refusals: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    /// Starts a mail server.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let server = Self { url, mails: Arc::default(), refusals: Arc::default() };
        let (mails, refusals) = (server.mails.clone(), server.refusals.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (mails, refusals) = (mails.clone(), refusals.clone());
                tokio::spawn(async move {
                    // A client that goes away has said all it wanted.
                    let _ = converse(stream, &mails, &refusals).await;
                });
            }
        });
        server
    }

    /// Refuses the next mail with these words.
    pub fn refuse(&self, answer: &str) {
        self.refusals.lock().unwrap().push(answer.to_owned());
    }

    /// Waits until there are this many mails, and returns all, by recipient.
    pub async fn wait_for(&self, count: usize) -> Vec<Mail> {
        for _ in 0..200 {
            let mut mails = self.mails.lock().unwrap().clone();
            if mails.len() >= count {
                mails.sort_by(|a, b| a.to.cmp(&b.to));
                return mails;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{count} mails were awaited, and these came: {:?}", self.mails.lock().unwrap());
    }
}

async fn converse(
    stream: TcpStream,
    mails: &Mutex<Vec<Mail>>,
    refusals: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut to = String::new();
    stream.write_all(b"220 tests\r\n").await?;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let command = line.trim_end().to_ascii_uppercase();
        let answer = if command.starts_with("RCPT TO:") {
            line["RCPT TO:<".len()..].trim_end().trim_end_matches('>').clone_into(&mut to);
            let refusal = refusals.lock().unwrap().pop();
            refusal.unwrap_or_else(|| "250 OK".to_owned())
        } else if command == "DATA" {
            stream.write_all(b"354 go on\r\n").await?;
            let mut content = String::new();
            while !content.ends_with("\r\n.\r\n") {
                stream.read_line(&mut content).await?;
            }
            mails.lock().unwrap().push(Mail { to: std::mem::take(&mut to), content });
            "250 OK".to_owned()
        } else if command == "QUIT" {
            "221 bye".to_owned()
        } else {
            "250 OK".to_owned()
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
        line.clear();
    }
    Ok(())
}
