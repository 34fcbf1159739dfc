//! A reassembly and its collector beside an array with one place per octet.

use arbitrary::Arbitrary;
use msrp::{ByteRange, Collector, Continuation, MAX_GAPS, Progress, Reassembly};

/// Largest message of the model, in octets.
const MAX_OCTETS: u64 = 4096;

/// One chunk as a peer may send it.
#[derive(Arbitrary, Clone, Debug)]
pub struct Chunk {
    /// First octet; 0 counts as 1.
    pub start: u16,
    /// Last octet, if it is announced; an end before the start counts as an empty chunk.
    pub end: Option<u16>,
    /// Octets of the message, if they are announced.
    pub total: Option<u16>,
    /// Lengths of the pieces that come, whatever was announced.
    pub pieces: Vec<u8>,
    /// What the pieces are made of.
    pub fill: u8,
    /// How the chunk ends.
    pub flag: Flag,
}

/// The flag of an end-line.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// `$`
    Complete,
    /// `+`
    More,
    /// `#`
    Aborted,
}

impl From<Flag> for Continuation {
    fn from(flag: Flag) -> Self {
        match flag {
            Flag::Complete => Self::Complete,
            Flag::More => Self::More,
            Flag::Aborted => Self::Aborted,
        }
    }
}

impl Chunk {
    /// The Byte-Range it is sent with.
    pub fn range(&self) -> ByteRange {
        let start = u64::from(self.start.max(1));
        ByteRange {
            start,
            end: self.end.map(|end| u64::from(end).max(start - 1)),
            total: self.total.map(u64::from),
        }
    }
}

/// Both halves of what is compared.
struct Model {
    reassembly: Reassembly,
    collector: Collector,
    places: Vec<Option<u8>>,
    end_announced: bool,
}

/// Feeds one message to both until it is complete, refused or aborted.
pub fn run(chunks: &[Chunk]) {
    let mut model = Model {
        reassembly: Reassembly::new(MAX_OCTETS),
        collector: Collector::default(),
        places: Vec::new(),
        end_announced: false,
    };
    for chunk in chunks {
        match model.feed(chunk) {
            Some(Progress::Partial) => model.compare(),
            Some(Progress::Complete { total }) => return model.finish(total),
            Some(Progress::Aborted) => return assert_eq!(chunk.flag, Flag::Aborted),
            // After a refusal the message is over.
            None => return,
        }
    }
}

impl Model {
    fn feed(&mut self, chunk: &Chunk) -> Option<Progress> {
        self.reassembly.begin_chunk(&chunk.range()).ok()?;
        let mut position = chunk.range().offset();
        for length in &chunk.pieces {
            let offset = self.reassembly.place(u64::from(*length)).ok()?;
            assert_eq!(offset, position, "pieces follow each other");
            position += u64::from(*length);
            assert!(position <= MAX_OCTETS, "the limit holds");
            self.put(offset, &vec![chunk.fill; usize::from(*length)]);
        }
        self.end_announced |= chunk.flag == Flag::Complete;
        self.reassembly.end_chunk(chunk.flag.into()).ok()
    }

    fn put(&mut self, offset: u64, octets: &[u8]) {
        self.collector.put(offset, octets);
        let start = usize::try_from(offset).expect("below the limit");
        for (place, octet) in (start..).zip(octets) {
            if self.places.len() <= place {
                self.places.resize(place + 1, None);
            }
            self.places[place] = Some(*octet);
        }
    }

    fn compare(&self) {
        let runs = self.places.chunk_by(|a, b| a.is_some() == b.is_some());
        let gaps = runs.filter(|run| run[0].is_none()).count();
        assert_eq!(self.reassembly.gaps(), gaps);
        assert!(gaps <= MAX_GAPS);
    }

    fn finish(self, total: u64) {
        assert!(self.end_announced, "complete without an end");
        let body: Option<Vec<u8>> = self.places.into_iter().collect();
        let body = body.expect("complete with an octet missing");
        assert_eq!(body.len() as u64, total);
        assert_eq!(self.collector.finish(total), body);
    }
}
