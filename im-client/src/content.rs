//! What a large message consists of, read piece by piece.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use net::msrp::{BodyRead, BodySource};
use sha1::{Digest as _, Sha1};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::sync::watch;

/// Octets read from a file at once.
const READ_OCTETS: usize = 256 * 1024;

/// The octets of a message.
#[derive(Clone, Debug)]
pub struct Content {
    source: Source,
    octets: u64,
}

#[derive(Clone, Debug)]
enum Source {
    Memory(Bytes),
    File(PathBuf),
    /// The same piece over and over, from a place in it.
    Pattern(Bytes, usize),
}

impl Content {
    /// A file, as long as it is now.
    ///
    /// # Errors
    /// The file cannot be looked at.
    pub async fn of_file(path: &Path) -> io::Result<Self> {
        let octets = tokio::fs::metadata(path).await?.len();
        Ok(Self {
            source: Source::File(path.to_owned()),
            octets,
        })
    }

    /// So many octets of no meaning, which take no memory; another `start` gives other octets.
    #[must_use]
    pub fn pattern(pattern: &Bytes, start: usize, octets: u64) -> Self {
        let start = start.checked_rem(pattern.len()).unwrap_or(0);
        Self {
            source: Source::Pattern(pattern.clone(), start),
            octets,
        }
    }

    /// Length in octets.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// All of it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn gather(&self) -> io::Result<Bytes> {
        let mut reader = self.open().await?;
        let mut gathered = BytesMut::new();
        while let Some(piece) = reader.piece(READ_OCTETS).await? {
            gathered.extend_from_slice(&piece);
        }
        Ok(gathered.freeze())
    }

    /// Its SHA-1, the one hash of `a=file-selector` (RFC 5547 §6).
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn sha1(&self) -> io::Result<[u8; 20]> {
        let mut reader = self.open().await?;
        let mut hash = Sha1::new();
        while let Some(piece) = reader.piece(READ_OCTETS).await? {
            hash.update(&piece);
        }
        Ok(hash.finalize().into())
    }

    pub(crate) async fn open(&self) -> io::Result<Reader> {
        let input = match &self.source {
            Source::Memory(octets) => Input::Memory(octets.clone()),
            Source::File(path) => Input::File(File::open(path).await?, BytesMut::new()),
            Source::Pattern(pattern, start) => Input::Pattern(pattern.clone(), *start),
        };
        Ok(Reader {
            input,
            left: self.octets,
            read: None,
        })
    }
}

impl From<Bytes> for Content {
    fn from(octets: Bytes) -> Self {
        Self {
            octets: octets.len() as u64,
            source: Source::Memory(octets),
        }
    }
}

enum Input {
    Memory(Bytes),
    File(File, BytesMut),
    Pattern(Bytes, usize),
}

/// Content being read.
pub(crate) struct Reader {
    input: Input,
    left: u64,
    /// Told how many octets were read.
    read: Option<Arc<watch::Sender<u64>>>,
}

impl Reader {
    /// Counts what is read.
    pub(crate) fn counted(self, read: Arc<watch::Sender<u64>>) -> Self {
        Self {
            read: Some(read),
            ..self
        }
    }

    /// The next octets, at most so many; none at the end.
    async fn piece(&mut self, max_octets: usize) -> io::Result<Option<Bytes>> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(max_octets);
        if most == 0 {
            return Ok(None);
        }
        let piece = self.input.read(most).await?;
        self.left -= piece.len() as u64;
        if let Some(read) = &self.read {
            read.send_modify(|count| *count += piece.len() as u64);
        }
        Ok(Some(piece))
    }
}

impl Input {
    /// At least one octet, at most so many.
    async fn read(&mut self, most: usize) -> io::Result<Bytes> {
        match self {
            Self::Memory(octets) => Ok(octets.split_to(most.min(octets.len()))),
            Self::File(file, buffer) => {
                if buffer.is_empty() {
                    buffer.reserve(READ_OCTETS);
                    if file.read_buf(buffer).await? == 0 {
                        // The file was cut meanwhile.
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Ok(buffer.split_to(most.min(buffer.len())).freeze())
            }
            Self::Pattern(pattern, at) => {
                let end = pattern.len().min(at.saturating_add(most));
                let piece = pattern.slice(*at..end);
                *at = if end == pattern.len() { 0 } else { end };
                Ok(piece)
            }
        }
    }
}

impl BodySource for Reader {
    fn read(&mut self, max_octets: usize) -> BodyRead<'_> {
        Box::pin(async move {
            let piece = self.piece(max_octets).await?;
            Ok(piece.unwrap_or_default())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_source_gives_as_much_as_it_says() {
        let pattern = Bytes::from_static(b"abcdefg");
        let content = Content::pattern(&pattern, 5, 10);
        assert_eq!(content.gather().await.expect("in memory"), "fgabcdefga");
        let content = Content::from(pattern);
        assert_eq!(content.octets(), 7);
        assert_eq!(content.gather().await.expect("in memory"), "abcdefg");
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), vec![7; READ_OCTETS + 1]).expect("writable");
        let content = Content::of_file(file.path()).await.expect("there");
        let gathered = content.gather().await.expect("readable");
        assert_eq!(gathered.len(), READ_OCTETS + 1);
    }

    #[tokio::test]
    async fn a_file_that_shrinks_is_an_error_and_no_short_message() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), b"twelve bytes").expect("writable");
        let content = Content::of_file(file.path()).await.expect("there");
        std::fs::write(file.path(), b"six").expect("writable");
        let error = content.gather().await.expect_err("cut");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn the_hash_is_that_of_the_standard() {
        let content = Content::from(Bytes::from_static(b"abc"));
        let hash = content.sha1().await.expect("in memory");
        assert_eq!(hash[..4], [0xa9, 0x99, 0x3e, 0x36]);
    }
}
