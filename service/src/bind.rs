//! The listeners, bound before anything is served.

use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use daemon::exit::{Code, Fatal};
use tokio::io::DuplexStream;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;

use crate::config::Config;
use crate::secure::Security;

/// Connections that are handed in, where the service listens on nothing.
#[derive(Debug)]
pub struct Connections {
    /// Of edges.
    pub data: mpsc::Receiver<DuplexStream>,
    /// Of operators.
    pub operator: mpsc::Receiver<DuplexStream>,
}

/// Where connections come from.
pub(crate) enum Incoming {
    Tcp(TcpListener),
    Tls(TcpListener, Arc<Security>),
    HandedIn(mpsc::Receiver<DuplexStream>),
}

impl Incoming {
    /// What is bound; none if connections are handed in.
    pub(crate) fn address(&self) -> std::io::Result<Option<SocketAddr>> {
        match self {
            Self::Tcp(listener) | Self::Tls(listener, _) => listener.local_addr().map(Some),
            Self::HandedIn(_) => Ok(None),
        }
    }
}

/// The bound listeners.
pub(crate) struct Listeners {
    pub(crate) data: Incoming,
    pub(crate) operator: Incoming,
    /// What both speak TLS by, if they do.
    pub(crate) security: Option<Arc<Security>>,
    pub(crate) operator_socket: Option<Socket>,
}

/// A Unix socket whose file goes when it does.
pub(crate) struct Socket {
    pub(crate) listener: UnixListener,
    pub(crate) file: SocketFile,
}

/// Removes the file when dropped.
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // It may be gone already; a stale one is replaced at the next start.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listeners {
    /// Reads the certificates and binds all, or says what cannot be.
    pub(crate) fn bind(config: &Config) -> Result<Self, Fatal> {
        let process = &config.process;
        let security = config.security()?;
        let incoming = |key, address| {
            let listener = tcp(key, address)?;
            Ok::<_, Fatal>(match &security {
                None => Incoming::Tcp(listener),
                Some(security) => Incoming::Tls(listener, Arc::clone(security)),
            })
        };
        let socket = process.operator_socket.as_deref();
        Ok(Self {
            data: incoming("storage.listen", process.listen)?,
            operator: incoming("storage.operator_listen", process.operator_listen)?,
            security: security.clone(),
            operator_socket: socket.map(unix).transpose()?,
        })
    }

    /// Nothing is bound.
    pub(crate) fn handed_in(connections: Connections) -> Self {
        Self {
            data: Incoming::HandedIn(connections.data),
            operator: Incoming::HandedIn(connections.operator),
            security: None,
            operator_socket: None,
        }
    }
}

fn tcp(key: &str, address: SocketAddr) -> Result<TcpListener, Fatal> {
    let listener = daemon::listen::tcp(key, address)?;
    let listener = listener
        .set_nonblocking(true)
        .and_then(|()| TcpListener::from_std(listener));
    listener.map_err(|error| Fatal::new(Code::Unavailable, format!("{key}: {error}")))
}

/// For the owner only. A socket that nobody listens on any more is replaced.
fn unix(path: &Path) -> Result<Socket, Fatal> {
    let fatal = |error: std::io::Error| {
        let place = path.display();
        let sentence = format!("cannot listen on {place} (storage.operator_socket): {error}");
        Fatal::new(Code::Unavailable, sentence)
    };
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket());
    if is_socket && UnixStream::connect(path).is_err() {
        std::fs::remove_file(path).map_err(fatal)?;
    }
    let listener = UnixListener::bind(path).map_err(fatal)?;
    let file = SocketFile(path.to_owned());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(fatal)?;
    Ok(Socket { listener, file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("operator.sock");
        let first = unix(&path).expect("free");
        let mode = std::fs::metadata(&path)
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            unix(&path).err().map(|fatal| fatal.code),
            Some(Code::Unavailable)
        );
        let Socket { listener, file } = first;
        drop(listener);
        std::mem::forget(file);
        assert!(unix(&path).is_ok());
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "precious").expect("written");
        assert!(unix(&path).is_err());
        assert_eq!(std::fs::read(&path).expect("still there"), b"precious");
    }
}
