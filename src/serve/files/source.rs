//! A file's bytes, read ahead by the workers.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::workers::{Ticket, Workers};
use crate::http::Piece;
use crate::serve::content::Source;

/// Bytes of one read.
const READ: usize = 64 * 1024;

/// A file that is being sent: one piece of it in hand, and one on its way.
pub(super) struct FileSource {
    file: Arc<File>,
    length: u64,
    workers: Arc<Workers>,
    /// Where `held` begins.
    offset: u64,
    held: Vec<u8>,
    /// What comes behind `held`.
    coming: Option<Ticket<io::Result<Vec<u8>>>>,
}

impl FileSource {
    pub(super) fn new(file: File, length: u64, workers: Arc<Workers>) -> Self {
        FileSource { file: Arc::new(file), length, workers, offset: 0, held: Vec::new(), coming: None }
    }

    /// Has the piece behind `held` read, if there is one.
    fn read_ahead(&mut self) {
        let offset = self.offset + self.held.len() as u64;
        if self.coming.is_some() || offset >= self.length {
            return;
        }
        let most = (self.length - offset).min(READ as u64) as usize;
        let file = Arc::clone(&self.file);
        self.coming = Some(self.workers.resume(move || read(&file, offset, most)));
    }
}

impl Source for FileSource {
    fn read(&mut self, cx: &mut Context<'_>, offset: u64, most: usize) -> Poll<io::Result<Piece>> {
        if offset != self.offset {
            (self.offset, self.held, self.coming) = (offset, Vec::new(), None);
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
        let rest = self.held.split_off(most.min(self.held.len()));
        let piece = std::mem::replace(&mut self.held, rest);
        self.offset += piece.len() as u64;
        Poll::Ready(Ok(Piece::Owned(piece)))
    }
}

/// At least one byte.
fn read(file: &File, offset: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; most];
    loop {
        match file.read_at(&mut bytes, offset) {
            // The file has become shorter than it was when its length was announced.
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                bytes.truncate(count);
                return Ok(bytes);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
