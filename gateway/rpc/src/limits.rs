//! Upper bounds of what a client may send.

use std::time::Duration;

/// Longest request message, bytes.
pub const MESSAGE_BYTES: usize = 4 << 20;
/// Longest request message of a worker, bytes: sealed outputs come in one.
pub const WORKER_MESSAGE_BYTES: usize = 80 << 20;
/// Longest component, bytes, over all chunks of its upload.
pub const MODULE_BYTES: usize = 32 << 20;
/// Longest CSV of a brought-in table, bytes, over all chunks of its upload.
pub const TABLE_BYTES: usize = 4 << 20;
/// Longest chunk of an upload, bytes; also of a download.
pub const CHUNK_BYTES: usize = 64 << 10;
/// Longest wait for the next chunk of an upload.
pub const CHUNK_WAIT: Duration = Duration::from_secs(30);
/// Longest upload: its effect is decided as of when it began.
pub const UPLOAD_WAIT: Duration = Duration::from_secs(120);
/// Uploads held in memory at once; further ones are told to come back.
pub const UPLOADS: usize = 8;
/// How often a long stream looks its caller's session up again (AU-2).
pub const READMIT_EVERY: Duration = Duration::from_secs(2);

/// Longest name, in characters.
pub const NAME_CHARS: usize = 200;
/// Longest comment or purpose, in characters.
pub const COMMENT_CHARS: usize = 4000;
/// Longest manifest or certificate request, bytes.
pub const DOCUMENT_BYTES: usize = 64 << 10;
/// Longest WebAuthn answer, bytes.
pub const CREDENTIAL_BYTES: usize = 64 << 10;
/// Longest dataset profile, bytes.
pub const PROFILE_BYTES: usize = 1 << 20;
/// Most entries of any list but columns.
pub const LIST: usize = 500;
/// Most columns of a table.
pub const COLUMNS: usize = 2000;
