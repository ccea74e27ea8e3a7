//! Uploads: one header, then chunks, bounded in size and time.

use sekisho_app::AppError;
use tokio::{sync::SemaphorePermit, time::timeout};
use tonic::{Status, Streaming};

use super::{Desk, status};
use crate::{
    convert::{Invalid, invalid, required},
    limits::{CHUNK_BYTES, CHUNK_WAIT, UPLOAD_WAIT},
};

/// What one message of an upload carries.
pub(super) enum Part<H> {
    Header(H),
    Chunk(Vec<u8>),
}

/// A message of an upload.
pub(super) trait Upload: Send + 'static {
    type Header: Send;

    /// Its part; `None` when it has none.
    fn part(self) -> Option<Part<Self::Header>>;
}

/// Most bytes of an upload over all chunks, and the code of what has more.
#[derive(Clone, Copy)]
pub(super) struct Quota {
    pub(super) bytes: usize,
    pub(super) code: &'static str,
}

/// A place among the uploads in memory, to be held until the answer.
#[allow(clippy::result_large_err, reason = "tonic's own error type")]
pub(super) fn place(desk: &Desk) -> Result<SemaphorePermit<'_>, Status> {
    desk.uploads.try_acquire().map_err(|_| {
        let message = "too many uploads at once; try again in a moment".to_owned();
        status(AppError::Limit { code: "UPLOADS_BUSY", message })
    })
}

/// The header, which an upload begins with.
pub(super) async fn header<U: Upload>(parts: &mut Streaming<U>) -> Result<U::Header, Status> {
    Ok(first(next(parts).await?)?)
}

/// Everything after the header.
pub(super) async fn content<U: Upload>(
    parts: &mut Streaming<U>,
    quota: Quota,
) -> Result<Vec<u8>, Status> {
    let chunks = async {
        let mut content = Vec::new();
        while let Some(part) = next(parts).await? {
            append(&mut content, part, quota)?;
        }
        Ok(content)
    };
    timeout(UPLOAD_WAIT, chunks).await.unwrap_or_else(|_| Err(stalled("the upload took too long")))
}

/// The next part of an upload; `None` at its end.
async fn next<U: Upload>(parts: &mut Streaming<U>) -> Result<Option<Part<U::Header>>, Status> {
    match timeout(CHUNK_WAIT, parts.message()).await {
        Ok(message) => {
            let part = |message: U| required(message.part(), "part");
            message?.map(part).transpose().map_err(Status::from)
        }
        Err(_) => Err(stalled("the upload stood still for too long")),
    }
}

fn stalled(message: &str) -> Status {
    status(AppError::Limit { code: "UPLOAD_STALLED", message: message.to_owned() })
}

fn first<H>(part: Option<Part<H>>) -> Result<H, Invalid> {
    match part {
        Some(Part::Header(header)) => Ok(header),
        _ => Err(invalid("HEADER_MISSING", "header", "an upload begins with its header")),
    }
}

/// The quota of the whole upload: the transport's limit is for one message only.
fn append<H>(content: &mut Vec<u8>, part: Part<H>, quota: Quota) -> Result<(), Invalid> {
    let Part::Chunk(chunk) = part else {
        return Err(invalid("HEADER_REPEATED", "header", "only the first message is a header"));
    };
    if chunk.len() > CHUNK_BYTES {
        let message = format!("a chunk may have {CHUNK_BYTES} bytes");
        return Err(invalid("CHUNK_TOO_LONG", "chunk", message));
    }
    if content.len() + chunk.len() > quota.bytes {
        let message = format!("all chunks together may have {} bytes", quota.bytes);
        return Err(invalid(quota.code, "chunk", message));
    }
    content.extend_from_slice(&chunk);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota { bytes: 3 * CHUNK_BYTES, code: "MODULE_TOO_LONG" };

    #[test]
    fn an_upload_begins_with_one_header() {
        assert_eq!(first(Some(Part::Header(7))), Ok(7));
        assert_eq!(first::<()>(None).unwrap_err().code, "HEADER_MISSING");
        assert_eq!(first::<()>(Some(Part::Chunk(vec![0]))).unwrap_err().code, "HEADER_MISSING");
        let again = append(&mut Vec::new(), Part::Header(()), QUOTA);
        assert_eq!(again.unwrap_err().code, "HEADER_REPEATED");
    }

    #[test]
    fn chunks_and_their_sum_are_bounded() {
        let mut content = Vec::new();
        let mut add = |bytes| append::<()>(&mut content, Part::Chunk(vec![0; bytes]), QUOTA);
        assert_eq!(add(CHUNK_BYTES + 1).unwrap_err().code, "CHUNK_TOO_LONG");
        for _ in 0..3 {
            add(CHUNK_BYTES).unwrap();
        }
        assert_eq!(add(1).unwrap_err().code, "MODULE_TOO_LONG");
        assert_eq!(content.len(), QUOTA.bytes);
    }
}
