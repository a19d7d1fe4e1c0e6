//! A file's bytes, read ahead by the workers.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use super::workers::{Ticket, Workers};
use crate::http::Piece;
use crate::serve::content::Source;

/// Bytes of one read.
const READ: usize = 64 * 1024;

/// A file that is being sent: one piece of it in hand, and one on its way.
pub(super) struct FileSource {
    /// Locked, as a read that nobody waits for any more may still be moving its position.
    file: Arc<Mutex<File>>,
    length: u64,
    workers: Arc<Workers>,
    /// Of what is next in `held`.
    offset: u64,
    held: Vec<u8>,
    /// Bytes of `held` that have been given away.
    gone: usize,
    /// What comes behind `held`.
    coming: Option<Ticket<io::Result<Vec<u8>>>>,
}

impl FileSource {
    pub(super) fn new(file: File, length: u64, workers: Arc<Workers>) -> Self {
        let file = Arc::new(Mutex::new(file));
        FileSource { file, length, workers, offset: 0, held: Vec::new(), gone: 0, coming: None }
    }

    /// Has the piece behind `held` read, if there is one.
    fn read_ahead(&mut self) {
        let offset = self.offset + (self.held.len() - self.gone) as u64;
        if self.coming.is_some() || offset >= self.length {
            return;
        }
        let most = (self.length - offset).min(READ as u64) as usize;
        let file = Arc::clone(&self.file);
        self.coming = Some(self.workers.resume(move || read(&file, offset, most)));
    }

    /// Takes up to `most` of the bytes in hand: all of them without a copy, and of a part only that part is copied.
    fn take(&mut self, most: usize) -> Vec<u8> {
        let rest = &self.held[self.gone..];
        if self.gone == 0 && rest.len() <= most {
            return std::mem::take(&mut self.held);
        }
        let piece = rest[..most.min(rest.len())].to_vec();
        self.gone += piece.len();
        if self.gone == self.held.len() {
            (self.held, self.gone) = (Vec::new(), 0);
        }
        piece
    }
}

impl Source for FileSource {
    fn read(&mut self, cx: &mut Context<'_>, offset: u64, most: usize) -> Poll<io::Result<Piece>> {
        if offset != self.offset {
            (self.offset, self.held, self.gone, self.coming) = (offset, Vec::new(), 0, None);
        }
        self.read_ahead();
        if self.held.is_empty() {
            let Some(ticket) = &self.coming else {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            };
            let Poll::Ready(result) = ticket.poll(cx) else { return Poll::Pending };
            self.coming = None;
            match result.and_then(|read| read) {
                Ok(bytes) => self.held = bytes,
                Err(error) => return Poll::Ready(Err(error)),
            }
            self.read_ahead();
        }
        let piece = self.take(most);
        self.offset += piece.len() as u64;
        Poll::Ready(Ok(Piece::Owned(piece)))
    }
}

/// At least one byte.
fn read(file: &Mutex<File>, offset: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.seek(SeekFrom::Start(offset))?;
    // Room that is written to once: a file fills it without its having been zeroed.
    let mut bytes = Vec::with_capacity(most);
    match file.by_ref().take(most as u64).read_to_end(&mut bytes)? {
        // The file has become shorter than it was when its length was announced.
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(bytes),
    }
}
