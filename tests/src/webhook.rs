//! An HTTP server that takes what is posted to it, or does not, as a test says.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request with its body.
#[derive(Clone, Debug)]
pub struct Posted {
    head: String,
    /// The body, as text.
    pub body: String,
    /// The body as it came.
    pub octets: Vec<u8>,
}

impl Posted {
    /// The first line.
    #[must_use]
    pub fn request_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The value of a header field.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut named = fields.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let (_, value) = named
            .next()
            .unwrap_or_else(|| panic!("no {name}: {}", self.head));
        value.trim()
    }
}

#[derive(Debug, Default)]
struct State {
    answer: String,
    asked: usize,
    taken: Vec<Posted>,
}

/// The server.
#[derive(Clone, Debug)]
pub struct Webhook {
    url: String,
    state: Arc<Mutex<State>>,
}

impl Webhook {
    /// Listens on loopback and answers 200.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(Mutex::new(State {
            answer: "200 OK".to_owned(),
            ..State::default()
        }));
        let webhook = Self {
            url: format!("http://{address}"),
            state,
        };
        let server = webhook.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                // Who goes in the middle has not asked.
                tokio::spawn(async move { drop(server.serve(stream).await) });
            }
        });
        webhook
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on it answers this; what it answers with a 2xx it has taken.
    pub fn answer(&self, status: &str) {
        status.clone_into(&mut self.lock().answer);
    }

    /// Requests so far.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.lock().asked
    }

    /// What it has taken, in order.
    #[must_use]
    pub fn taken(&self) -> Vec<Posted> {
        self.lock().taken.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut octets = Vec::new();
        let posted = loop {
            if let Some(posted) = whole(&octets) {
                break posted;
            }
            if stream.read_buf(&mut octets).await? == 0 {
                return Ok(());
            }
        };
        let answer = {
            let mut state = self.lock();
            state.asked += 1;
            if state.answer.starts_with('2') {
                state.taken.push(posted);
            }
            let answer = &state.answer;
            format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        };
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    }
}

/// The request, once all of it has come.
fn whole(octets: &[u8]) -> Option<Posted> {
    let end = octets.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = (str::from_utf8(&octets[..end]).ok()?, &octets[end + 4..]);
    let lengths = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = lengths.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = lengths.next()?.1.trim().parse().ok()?;
    (body.len() >= length).then(|| Posted {
        head: head.to_owned(),
        body: String::from_utf8_lossy(body).into_owned(),
        octets: body.to_vec(),
    })
}
