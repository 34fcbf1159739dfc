//! Cuts of a byte stream that come from the stream itself, so that any message is a seed as it stands.

/// Single octets: the finest cut.
pub fn octets(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    stream.chunks(1)
}

/// Pieces as long as the octets of the stream say, read from its end; an octet 0 counts as 1.
pub fn pieces(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = stream;
    let mut lengths = stream.iter().rev().cycle();
    std::iter::from_fn(move || {
        let length = usize::from(*lengths.next()?).clamp(1, rest.len().max(1));
        let (piece, after) = rest.split_at_checked(length)?;
        rest = after;
        Some(piece)
    })
}
